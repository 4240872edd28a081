"""keras.applications' networks with their preprocessing inside: each takes uint8 RGB images as they are.

Where Keras' own weights are looked for: DATASETS_DIR, then ~/.keras/models, then Keras' download.
"""

import contextlib
import hashlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np

from relearn.backbones import hdf5
from relearn.networks.engine import keras
from relearn.sources import downloads

TOPS = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D, keras.layers.Flatten)
SIDE = 224
SIDES = {  # native ones other than 224
    "inception_v3": 299, "inception_resnet_v2": 299, "xception": 299, "nasnet_large": 331,
    "efficientnet_b1": 240, "efficientnet_b2": 260, "efficientnet_b3": 300, "efficientnet_b4": 380,
    "efficientnet_b5": 456, "efficientnet_b6": 528, "efficientnet_b7": 600,
    "efficientnet_v2_b1": 240, "efficientnet_v2_b2": 260, "efficientnet_v2_b3": 300,
    "efficientnet_v2_s": 384, "efficientnet_v2_m": 480, "efficientnet_v2_l": 480,
}  # fmt: skip


def names() -> list[str]:
    """Every network of keras.applications, as resnet50, inception_v3, mobilenet_v2, ..."""
    return list(_functions())


def build(name: str, weights: str) -> keras.Model:
    """The network at its native side with its preprocessing inside, as layer `scale`.

    weights: imagenet, random (from Keras' global seed), or a .h5 file of weights for this network; a file whose name
    says `notop`, as Keras' own do, gives the network without its top.
    Raises ValueError when the weights are not there, naming the file.
    """
    with _weight_files(name):
        model = network(name, weights="imagenet" if weights == "imagenet" else None, top="notop" not in Path(weights).name)
    if weights not in ("imagenet", "random"):
        load(model, Path(weights))
    if _preprocessing(name)[2]:
        rgb_first(model)
    return model


def network(name: str, weights: str | None = None, top: bool = True, mean: Sequence[float] = (), title: str = "") -> keras.Model:
    """Keras' network on uint8 RGB images, channels in the order of its own weights (see `rgb_first`).

    mean: of each channel, to be taken off in place of the module's own preprocessing. title: the model's name.
    """
    side = SIDES.get(name, SIDE)
    scale, offset, _ = _preprocessing(name)
    if mean:
        scale, offset = [1.0] * 3, [-value for value in mean]
    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    scaled = keras.layers.Rescaling(scale, offset, name="scale")(image)
    built = _functions()[name](weights=weights, input_tensor=scaled, input_shape=(side, side, 3), include_top=top)
    return keras.Model(built.inputs, built.outputs, name=title or name)


def load(model: keras.Model, path: Path) -> None:
    """Sets the network's weights from a .h5 file. Raises ValueError when it is none or does not fit."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; `weights` is imagenet, random or a file of weights")
    if path.suffix != ".h5":
        raise ValueError(f"{path}: is no .h5 file of weights; model.save_weights of Keras writes one")
    try:
        with h5py.File(path, "r") as file:
            hdf5.check(file)
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise anything
        text = " ".join(str(error).split())
        raise ValueError(f"{path}: does not have the weights of {model.name}: {text[:200]}") from error


def rgb_first(model: keras.Model) -> None:
    """Turns a network for BGR pixels into one for RGB: its first kernel's input channels change places.

    No built-in layer swaps channels by itself, and the sum over them does not depend on their order.
    """
    first = next(layer for layer in model.layers if layer.weights)
    kernel, *others = first.get_weights()
    first.set_weights([kernel[:, :, ::-1], *others])


def _functions() -> dict[str, Callable[..., keras.Model]]:
    """The functions of keras.applications by their names in snake case."""
    attributes = {name: getattr(keras.applications, name) for name in dir(keras.applications) if name[0].isupper()}
    return {_snake(name): function for name, function in attributes.items() if callable(function)}


def _snake(name: str) -> str:
    """InceptionV3 -> inception_v3, ResNet50V2 -> resnet50_v2, NASNetLarge -> nasnet_large, ConvNeXtTiny -> convnext_tiny."""
    plain = re.sub("(Res|Dense|Mobile|Efficient|NAS)Net|ConvNeXt", lambda match: match[0].capitalize(), name)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()


def _preprocessing(name: str) -> tuple[list[float], list[float], bool]:
    """Scale and offset of each RGB channel, and whether blue comes first, in the module's own preprocess_input.

    It is an affine map of each channel, so what it makes of black and of pure colours tells all of it.
    """
    preprocess = sys.modules[_functions()[name].__module__].preprocess_input

    def applied(pixel: np.ndarray) -> np.ndarray:
        return np.asarray(preprocess(pixel.reshape(1, 1, 1, 3).copy()), np.float64).ravel()

    black = applied(np.zeros(3))
    gains = np.array([(applied(pixel) - black) / 255 for pixel in 255.0 * np.eye(3)])  # (channel in, channel out)
    order = np.abs(gains).argmax(axis=1)
    return gains[range(3), order].tolist(), black[order].tolist(), order.tolist() == [2, 1, 0]


@contextlib.contextmanager
def _weight_files(name: str) -> Iterator[None]:
    """Lets Keras' networks find their weights in DATASETS_DIR, and says what is missing when a download fails."""
    module = importlib.import_module(keras.utils.get_file.__module__)

    def get_file(fname: str, origin: str, file_hash: str | None = None, **_: Any) -> str:
        folder = os.environ.get("DATASETS_DIR")
        if folder and (Path(folder) / fname).is_file():
            return str(_hashed(Path(folder) / fname, file_hash))
        path = Path(module.config.keras_home()) / "models" / fname
        if not path.is_file():
            try:
                with downloads.scratch(path.parent) as scratch:
                    downloads.from_address(origin, scratch / fname, hdf5.LIMIT)
                    os.replace(_hashed(scratch / fname, file_hash), path)
            except Exception as error:
                raise ValueError(_missing(name, fname, error)) from error
        return str(_hashed(path, file_hash))

    with mock.patch.object(module, "get_file", get_file):
        yield


def _hashed(path: Path, digest: str | None) -> Path:
    """`path`, when it has the hash that Keras knows of it."""
    if digest:
        with path.open("rb") as stream:
            algorithm = "sha256" if len(digest) == 64 else "md5"  # as Keras tells them apart
            if hashlib.file_digest(stream, algorithm).hexdigest() != digest:
                raise ValueError(f"{path}: is not the file that Keras has under this name ({algorithm}); fetch it anew")
    return path


def _missing(name: str, file: str, error: Exception) -> str:
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models"
    return "\n".join([
        f"{name}: Keras' weights {file} are not here, and their download failed: {' '.join(str(error).split())[:300]}",
        f"Put {file} into {home} or into a folder of yours that DATASETS_DIR names, or write",
        "`weights: <path of a file>` in the backbone's block of params.yaml.",
        "efficientnet_lite0 needs no such file: its weights come from the package registry.",
    ])  # fmt: skip
