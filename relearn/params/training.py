"""Blocks of trainings: optimizers, schedules, augmentation, single trainings, repeats, searches, classical classifiers."""

from typing import Annotated, Literal

from pydantic import Field

from relearn.params.base import Block, Count, Images, Key, Model, Probability, Share


class Schedule(Block):
    """The learning rate over the steps of a training: linear from `start` of it up to all of it, then down to `end` of it."""

    start: Share
    peak: Annotated[float, Field(gt=0, lt=1)]  # share of the steps after which all of it is reached
    end: Share = 0.0


class Optimizer(Block):
    """One of Keras' optimizers and its numbers."""

    name: Literal["adadelta", "adam", "rmsprop", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0  # coupled: so much of each weight is added to its gradient
    norm_shift_rate: Annotated[float, Field(gt=0)] = 1.0  # of batch normalizations' shifts ("bias scaler"), in learning rates
    schedule: Schedule | None = None


class Augmentation(Block):
    """Random changes to every image, drawn anew in every epoch: by Keras' preprocessing layers, the last two by `crops`."""

    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: Probability = 0.0  # up to this share of the side, both ways, down and across
    shear_degrees: Annotated[float, Field(ge=0, lt=45)] = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0  # up to this share, in and out
    mirror: bool = False
    mirror_in_turn: bool = False  # "alternating flip": a random half in one epoch, the others in the next
    crop_padding: Annotated[int, Field(ge=0)] = 0  # pixels that reflect the image at each side, of which a random crop is taken

    @property
    def of_batches(self) -> bool:
        """Whether some of it is applied when batches are made."""
        return self.mirror_in_turn or self.crop_padding > 0


class Phase(Block):
    """How a network is trained: optimizer, epochs, batch, random changes to the images."""

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


class Repeat(Fit):
    """The training repeated from fresh weights, each time with seeds of its own. `protocol` names where its numbers are from."""

    protocol: str
    repeats: Count


class LearningCurve(Repeat):
    """The training repeated on ever fewer training images, drawn at random: each of `counts`, `repeats` seeds each."""

    counts: Annotated[list[Count], Field(min_length=2)]


class Finetune(Repeat):
    """The training repeated from the network of training `start`, with the layers in `freeze` not trained."""

    start: Key
    head: Literal["replaced", "stacked"]
    freeze: list[str] = []


class OneVsRest(Fit):
    """A binary network for each class, compared with the multiclass network `against`."""

    against: Key


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


class Evaluate(Block):
    """How trained networks are scored."""

    also_train: list[Key] = []  # trainings that are scored on their training images, too
    # Trainings whose network sees each test image in several views: mirrored, and shifted by a pixel, too.
    test_time_augmentation: dict[Key, Literal["mirror", "mirror_and_shift"]] = {}


class Embed(Block):
    """The output of a layer of models/<model>.keras; of a backbone the last map of features, unless `layer` names one."""

    images: Key
    model: Model
    layer: str | None = None
    side: Count | None = None  # images are scaled to it (bilinear); None: centred on black, as large as the model's
    pooled: bool = False  # averaged over the places of the map
    train_images: Count | None = None
    test_images: Count | None = None


class Tsne(Block):
    """A layout of an embedding in the plane."""

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


class Classify(Block):
    """Some of `classifiers`, fitted to the pixels of a data set or to an embedding."""

    features: Images
    classifiers: Annotated[list[Key], Field(min_length=1)]
    pooled: bool = False  # a map of features is averaged over its places
    train_images: Count | None = None
    test_images: Count | None = None
