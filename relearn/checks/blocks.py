"""What a single block of params.yaml must fulfil beyond the types and ranges of its values."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from relearn.params.base import Block, Place
from relearn.params.data import ARRAYS, Download, Relabel, Source
from relearn.params.photos import PhotoSet
from relearn.params.reporting import StyleTransfer
from relearn.params.training import Augmentation, Classifier, Fit, Optimizer
from relearn.params.transfer import Recipe, RecipePhase, Transfer

COPIED = "copies are made by rotation, shift, shear, zoom and mirror, not by mirror_in_turn or crop_padding"
NUMBERS = {"nearest_neighbours": {"neighbours"}, "random_forest": {"trees"}, "linear_svm": {"C"}, "logistic_regression": {"C"}}


def mistakes(node: Any, path: str = "") -> Iterator[str]:
    """A line `path: mistake` for each mistake in the blocks at and below `node`."""
    children: dict[Any, Any] = {}
    if isinstance(node, Block):
        for kind in type(node).__mro__:
            if rule := RULES.get(kind):
                yield from (f"{path}: {mistake}" for mistake in rule(node))
        children = {name: getattr(node, name) for name in type(node).model_fields}
    elif isinstance(node, dict):
        children = node
    elif isinstance(node, list):
        children = dict(enumerate(node))
    for name, child in children.items():
        yield from mistakes(child, f"{path}.{name}".lstrip("."))


def _place(spec: Place) -> Iterator[str]:
    if sum(place is not None for place in (spec.url, spec.npm, spec.pip)) > 1:
        yield "only one of url, npm, pip can be given"
    if (spec.npm or spec.pip) and len(spec.files) != 1:
        yield "a package is one file"
    if any(Path(name).name != name for name in spec.files):
        yield "files are plain names, without folders"


def _source(spec: Source) -> Iterator[str]:
    if not (spec.url or spec.npm or spec.pip):
        yield "exactly one of url, npm, pip is needed"


def _download(spec: Download) -> Iterator[str]:
    if missing := set(ARRAYS) - set(spec.arrays):
        yield f"arrays lacks {', '.join(sorted(missing))}"
    if len(set(spec.classes)) != len(spec.classes):
        yield f"classes {spec.classes} has a name twice"


def _relabel(spec: Relabel) -> Iterator[str]:
    if spec.keep is not None and spec.positives is not None:
        yield "keep and positives cannot both be given"
    if (spec.positives is None) != (spec.classes is None):
        yield "positives and classes (the names of the negative and the positive class) go together"
    for name in ("keep", "positives"):
        numbers = getattr(spec, name) or []
        if len(set(numbers)) != len(numbers):
            yield f"{name} {numbers} names a class twice"


def _optimizer(spec: Optimizer) -> Iterator[str]:
    if spec.momentum and spec.name not in ("sgd", "rmsprop"):
        yield f"{spec.name} has no momentum; sgd and rmsprop have"
    if spec.name != "sgd" and (spec.nesterov or spec.weight_decay or spec.norm_shift_rate != 1):
        yield f"nesterov, weight_decay and norm_shift_rate are for sgd, not for {spec.name}"
    if spec.nesterov and not spec.momentum:
        yield "nesterov needs momentum"


def _augmentation(spec: Augmentation) -> Iterator[str]:
    if spec.mirror and spec.mirror_in_turn:
        yield "mirror and mirror_in_turn cannot both be given"


def _fit(spec: Fit) -> Iterator[str]:
    if spec.holdout and spec.validation:
        yield "holdout (of the training images) and validation (of the test images) cannot both be given"
    if spec.side and spec.pixels == "whitened":
        yield "pixels: whitened takes images as they are, without side"
    if spec.images.startswith("embeddings/") and (spec.side or spec.augmentation or spec.pixels != "unit"):
        yield "side, pixels and augmentation are for images, not for embeddings"


def _classifier(spec: Classifier) -> Iterator[str]:
    needed = NUMBERS.get(spec.kind, set())
    given = {name for name in ("neighbours", "trees", "C") if getattr(spec, name) is not None}
    if given != needed:
        yield f"{spec.kind} takes {', '.join(needed) or 'no numbers'}; given: {', '.join(sorted(given)) or 'none'}"


def _phase(spec: RecipePhase) -> Iterator[str]:
    if spec.copies and spec.augmentation is None:
        yield f"copies: {spec.copies} needs augmentation"
    if spec.copies and spec.augmentation and spec.augmentation.of_batches:
        yield f"augmentation: {COPIED}"


def _transfer(spec: Transfer) -> Iterator[str]:
    if (spec.backbone is None) == (spec.start is None):
        yield "needs a backbone, or a transfer to start from, and not both"
    if (spec.backbone is None) != (spec.net is None):
        yield "net (the head) is needed with a backbone to start from, and only then"


def _recipe(spec: Recipe) -> Iterator[str]:
    if spec.head.holdout != spec.tune.holdout:
        yield "head.holdout and tune.holdout differ: the second curve would show what the first phase trained on"


def _photo_set(spec: PhotoSet) -> Iterator[str]:
    if spec.images_per_class and not spec.classes:
        yield "images_per_class needs classes, in the order of the files' numbers"


def _style_transfer(spec: StyleTransfer) -> Iterator[str]:
    if (spec.optimizer == "adam") != (spec.learning_rate is not None):
        yield "learning_rate goes with optimizer adam, and only with it"


RULES: dict[type, Callable[[Any], Iterator[str]]] = {
    Place: _place, Source: _source, Download: _download, Relabel: _relabel, Optimizer: _optimizer,
    Augmentation: _augmentation, Fit: _fit, Classifier: _classifier, RecipePhase: _phase, Transfer: _transfer,
    Recipe: _recipe, PhotoSet: _photo_set, StyleTransfer: _style_transfer,
}  # fmt: skip
