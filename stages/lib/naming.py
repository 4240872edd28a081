"""Naming pictures: a saved network with the names of its classes, and what it says of arrays of pixels."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stages.lib import arrays, keras_file, nets, photographs
from stages.lib.engine import keras
from stages.lib.params import Params

BATCH = 16
CLOSE = 5


@dataclass(frozen=True)
class Source:
    """Where a network is, where its classes' names are, and the command that makes both."""

    model: Path
    classes: Path
    command: str


@dataclass(frozen=True)
class Namer:
    """A network that takes square pictures, and its classes' names; `classes` is empty when it names nothing."""

    name: str
    model: keras.Model
    classes: list[str]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) that the network takes."""
        height, width, channels = self.model.input_shape[1:]
        return height, width, channels

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """An H x W x 3 picture as the network takes it: the middle square, scaled; grey where it takes one channel."""
        side, _, channels = self.image_shape
        fitted = photographs.fit(image, side)
        if channels == 1:
            return np.array(Image.fromarray(fitted).convert("L"))[:, :, None]
        return fitted

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """float32 N x classes: the softmax; of a network with one sigmoid unit, both classes' shares."""
        found = _run(self.model, pixels)
        return np.concatenate([1 - found, found], axis=1) if found.shape[1] == 1 else found

    def features(self, pixels: np.ndarray, layer: str) -> np.ndarray:
        """float32 N x ...: what comes out of an inner layer. ValueError with the names nearest to a wrong one."""
        names = [known.name for known in self.model.layers]
        if layer not in names:
            close = difflib.get_close_matches(layer, names, CLOSE, 0.5) or names[-CLOSE:]
            raise ValueError(f"{self.name} has no layer {layer!r}, but {', '.join(close)}; all: python -m stages.inspect_model "
                             f"{self.name.rpartition('/')[2]}")  # fmt: skip
        return _run(nets.cut(self.model, layer), pixels)


def source(settings: Params, name: str) -> Source:
    """The files of a backbone (`lite0` or `backbones/lite0`), a training or a transfer of params.yaml.

    Raises ValueError when params.yaml has no such name, or the network has not been made yet.
    """
    key = name.removeprefix("backbones/")
    if key in settings.backbones:
        found = Source(Path(f"models/backbones/{key}.keras"), Path(f"models/backbones/{key}.json"), f"dvc repro fetch@{key}")
    elif name in settings.train and settings.train[name].images.startswith("embeddings/"):
        raise ValueError(f"{name}: takes features ({settings.train[name].images}), no pictures")
    elif name in settings.train:
        classes = arrays.VIEWS / settings.train[name].labels / "classes.json"
        found = Source(Path(f"models/{name}.keras"), classes, f"dvc repro train@{name}")
    elif name in settings.transfer:
        classes = arrays.DATA / settings.transfer[name].images / "classes.json"
        photos, _, phase = name.rpartition("_")
        found = Source(Path(f"models/{name}.keras"), classes, f"dvc repro {phase}@{photos}")
    else:
        pictured = [key for key, spec in settings.train.items() if not spec.images.startswith("embeddings/")]
        known = [*settings.backbones, *pictured, *settings.transfer]
        raise ValueError(f"{name}: no such model; params.yaml has {', '.join(known) or 'none'}")
    for path in (found.model, found.classes):
        if not path.is_file():
            raise ValueError(f"{path}: is not there; it is made by: {found.command}")
    return found


def load(settings: Params, name: str) -> Namer:
    """The network `name` with its classes' names. ValueError when they do not match, or it takes no pictures."""
    files = source(settings, name)
    model = keras_file.load(files.model)
    if len(model.input_shape) != 4:
        raise ValueError(f"{name}: takes {model.input_shape[1:]} features of an embedding, no pictures")
    about = json.loads(files.classes.read_text())
    classes = [str(known) for known in (about["classes"] if isinstance(about, dict) else about)]
    outputs = model.output_shape[-1] if len(model.output_shape) == 2 else 0
    if outputs and classes and max(outputs, 2) != len(classes):
        raise ValueError(f"{name}: has {outputs} outputs, {files.classes} {len(classes)} names; make both anew: {files.command}")
    return Namer(name, model, classes if outputs else [])


def top(scores: np.ndarray, classes: Sequence[str], n: int) -> list[tuple[int, str, float]]:
    """(index, name, score) of the `n` best classes of one picture, best first; equal ones in the classes' order."""
    best = np.argsort(-scores, kind="stable")[:n]
    return [(int(index), classes[index], float(scores[index])) for index in best]


def _run(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    starts = range(0, len(pixels), BATCH)
    found = [np.asarray(model.predict_on_batch(pixels[start : start + BATCH]), np.float32) for start in starts]
    return np.concatenate(found)
