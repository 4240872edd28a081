"""Classifying pictures: a saved network with the names of its classes, and its answers to arrays of pixels."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from relearn.data import arrays, places
from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from relearn.params.whole import Params
from relearn.photos import photographs

BATCH = 16
CLOSE = 5
SHOWN_SIDE = 320  # pixels of a picture in a chart

Best = list[tuple[int, str, float]]  # index, name and score of the best classes of a picture


class Picture(NamedTuple):
    """A picture as the network gets it and as a chart shows it, both uint8 H x W x 3."""

    name: str
    pixels: np.ndarray
    shown: np.ndarray


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
        outputs = _run(self.model, pixels)
        return np.concatenate([1 - outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs

    def features(self, pixels: np.ndarray, layer: str) -> np.ndarray:
        """float32 N x ...: what comes out of an inner layer. ValueError with the names nearest to a wrong one."""
        names = [known.name for known in self.model.layers]
        if layer not in names:
            close = difflib.get_close_matches(layer, names, CLOSE, 0.5) or names[-CLOSE:]
            raise ValueError(f"{self.name} has no layer {layer!r}, but {', '.join(close)}; all: python -m tools.inspect_model "
                             f"{self.name.rpartition('/')[2]}")  # fmt: skip
        return _run(nets.cut(self.model, layer), pixels)


def source(settings: Params, name: str) -> Source:
    """The files of a backbone (`lite0` or `backbones/lite0`), a training or a transfer of params.yaml.

    Raises ValueError when params.yaml has no such name, or the network has not been made yet.
    """
    key = name.removeprefix("backbones/")
    if key in settings.backbones:
        network = places.model(f"backbones/{key}")
        files = Source(network, network.with_suffix(".json"), f"dvc repro fetch@{key}")
    elif name in settings.train and settings.train[name].images.startswith("embeddings/"):
        raise ValueError(f"{name}: takes features ({settings.train[name].images}), no pictures")
    elif name in settings.train:
        classes = arrays.VIEWS / settings.train[name].labels / "classes.json"
        files = Source(places.model(name), classes, f"dvc repro train@{name}")
    elif name in settings.transfer:
        classes = arrays.DATA / settings.transfer[name].images / "classes.json"
        photos, _, phase = name.rpartition("_")
        files = Source(places.model(name), classes, f"dvc repro {phase}@{photos}")
    else:
        pictured = [key for key, spec in settings.train.items() if not spec.images.startswith("embeddings/")]
        known = [*settings.backbones, *pictured, *settings.transfer]
        raise ValueError(f"{name}: no such model; params.yaml has {', '.join(known) or 'none'}")
    for path in (files.model, files.classes):
        if not path.is_file():
            raise ValueError(f"{path}: is not there; it is made by: {files.command}")
    return files


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


def open_picture(name: str, namer: Namer) -> Picture:
    """The picture that `name` stands for (see `photographs.open_any`). ValueError in one line when it cannot be had."""
    image = photographs.open_any(name)
    return Picture(name, namer.pixels(image), photographs.fit(image, SHOWN_SIDE))


def lines(pictures: Sequence[Picture], best: Sequence[Best]) -> list[str]:
    """A line for each of the best classes of each picture."""
    return [f"{photographs.shown(picture.name)}  {rank}  {index} {title}  {score:.4f}"
            for picture, rows in zip(pictures, best, strict=True)
            for rank, (index, title, score) in enumerate(rows, 1)]  # fmt: skip


def listed(pictures: Sequence[Picture], best: Sequence[Best]) -> list[dict[str, Any]]:
    """The best classes of each picture as JSON values, scores rounded to 6 decimals."""
    return [{"file": picture.name, "top": [{"index": i, "name": title, "score": round(score, 6)} for i, title, score in rows]}
            for picture, rows in zip(pictures, best, strict=True)]  # fmt: skip


def top(scores: np.ndarray, classes: Sequence[str], n: int) -> Best:
    """(index, name, score) of the `n` best classes of one picture, best first; equal ones in the classes' order."""
    best = np.argsort(-scores, kind="stable")[:n]
    return [(int(index), classes[index], float(scores[index])) for index in best]


def _run(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    starts = range(0, len(pixels), BATCH)
    return np.concatenate([np.asarray(model.predict_on_batch(pixels[at : at + BATCH]), np.float32) for at in starts])
