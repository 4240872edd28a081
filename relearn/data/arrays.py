"""Data sets and views: folders of plain arrays, opened in no time and read in batches.

A data set holds {train,test}_images.npy (uint8, N x H x W x C), {train,test}_labels.npy (uint8, N) and
classes.json. An embedding is a data set of features in place of images: {train,test}_features.npy, N x any
shape of numbers. A view (made by `relabel`) holds, for each split, the rows it takes and their new labels.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

DATA = Path("data")
VIEWS = DATA / "views"
SPLITS = ("train", "test")
STATISTICS_BLOCK = 1_000


@dataclass(frozen=True)
class Split:
    """Some rows of a data set's images in an order, with a label each; pixels are read when asked for."""

    images: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    fine_labels: np.ndarray
    crop: int | None = None
    copies: int = 1  # so many versions of the same images, one block after the other: an epoch trains on one of them

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, cropped: (height, width, channels), or whatever the features of an embedding have."""
        shape = self.images.shape[1:]
        return (self.crop, self.crop, *shape[2:]) if self.crop else shape

    @property
    def dtype(self) -> np.dtype:
        """Of a batch: uint8 for images, float32 for features, which may be kept as float16."""
        return np.dtype("float32") if self.images.dtype == np.float16 else self.images.dtype

    def batch(self, places: np.ndarray | slice) -> np.ndarray:
        """Images at `places` of this split, cropped about the centre: (len, H, W, C); or features."""
        return centre_crop(self.images[self.rows[places]], self.crop).astype(self.dtype, copy=False)

    def pixel_statistics(self) -> tuple[float, float]:
        """Mean and standard deviation over all pixels and channels, from exact counts of the 256 values."""
        blocks = range(0, len(self), STATISTICS_BLOCK)
        counts = sum(np.bincount(self.batch(slice(at, at + STATISTICS_BLOCK)).ravel(), minlength=256) for at in blocks)
        values = np.arange(256)
        mean = float((counts * values).sum() / np.sum(counts))
        return mean, float(np.sqrt((counts * (values - mean) ** 2).sum() / np.sum(counts)))

    def channel_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each channel (C,) over all pixels, from exact sums."""
        total, squares = np.zeros((2, self.image_shape[-1]), np.int64)
        for at in range(0, len(self), STATISTICS_BLOCK):
            block = self.batch(slice(at, at + STATISTICS_BLOCK)).astype(np.int64)
            total += block.sum(axis=(0, 1, 2))
            squares += (block * block).sum(axis=(0, 1, 2))
        pixels = len(self) * int(np.prod(self.image_shape[:2]))
        return total / pixels, np.sqrt(squares / pixels - (total / pixels) ** 2)

    def part(self, places: slice | np.ndarray) -> "Split":
        """The split of the rows at `places` only, in their order."""
        return Split(self.images, self.rows[places], self.labels[places], self.fine_labels[places], self.crop)


class Parts(NamedTuple):
    """What is trained on, what curves show, and what is scored, once."""

    train: Split
    validation: Split
    score: Split


@dataclass(frozen=True)
class View:
    """A relabelled data set; label k is called classes[k], fine label k of the data set fine_classes[k]."""

    train: Split
    test: Split
    classes: list[str]
    fine_classes: list[str]

    def parts(self, validation: int = 0, holdout: float = 0.0) -> Parts:
        """Curves show the first `validation` test images, or the last `holdout` share of the training images.

        What they show is neither trained on nor scored. ValueError when nothing is left to train on or to score.
        """
        if validation >= len(self.test):
            raise ValueError(f"validation: {validation} leaves no test images of {len(self.test)} to score")
        kept = round(len(self.train) * (1 - holdout))
        if kept < 1:
            raise ValueError(f"holdout: {holdout} leaves no training images of {len(self.train)}")
        shown = self.train.part(slice(kept, None)) if holdout else self.test.part(slice(0, validation))
        return Parts(self.train.part(slice(0, kept)), shown, self.test.part(slice(validation, None)))


def read(path: Path) -> np.ndarray:
    """A memory-mapped array; object arrays are refused. ValueError naming the file when it is no array."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged header makes its reader raise anything
        raise ValueError(f"{path}: is no plain array: {error}") from error


def write(folder: Path, **arrays: np.ndarray) -> None:
    """Writes <name>.npy for each array into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        write_blocks(folder / f"{name}.npy", array.shape, [array], array.dtype.str)


def write_blocks(path: Path, shape: tuple[int, ...], blocks: Iterable[np.ndarray], dtype: str = "uint8") -> None:
    """Writes one array of `shape` block by block along its first axis; memory holds one block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for block in blocks:
            stream.write(np.ascontiguousarray(block, dtype).data)


def write_predictions(key: str, score: Split, **probabilities: np.ndarray) -> None:
    """Writes data/predictions/<key>: probabilities (N x classes) of the scored images, their labels and rows."""
    write(DATA / "predictions" / key, labels=score.labels, rows=score.rows, **probabilities)


def write_classes(folder: Path, classes: list[str]) -> None:
    """Writes the class names, label order."""
    (folder / "classes.json").write_text(json.dumps(classes, indent=2) + "\n")


def read_classes(folder: Path) -> list[str]:
    """Class names of a data set, view or embedding."""
    return list(json.loads((folder / "classes.json").read_text()))


def open_dataset(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (uint8, N x H x W x C; of an embedding its features) and labels (uint8, N), checked against each other."""
    folder = DATA / name
    content = "features" if name.startswith("embeddings/") else "images"
    images, labels = read(folder / f"{split}_{content}.npy"), read(folder / f"{split}_labels.npy")
    if len(images) != len(labels):
        raise ValueError(f"{folder}: {split}_labels.npy has {len(labels)} labels for {len(images)} images")
    n_classes = len(read_classes(folder))
    if len(labels) and labels.max() >= n_classes:
        raise ValueError(f"{folder}: {split}_labels.npy has label {labels.max()}, there are {n_classes} classes")
    return images, labels


def open_view(images: str, labels: str) -> View:
    """Data set `images` seen through view `labels`. ValueError when the view's files do not match the images."""
    folder = VIEWS / labels
    about = json.loads((folder / "view.json").read_text())
    if about["images"] != images:
        raise ValueError(f"{folder}: was made for {about['images']}, not {images}")
    classes = read_classes(folder)
    splits = {split: _open_split(images, folder, split, len(classes), about["crop"]) for split in SPLITS}
    return View(splits["train"], splits["test"], classes, read_classes(DATA / images))


def open_whole(images: str) -> View:
    """All of data set `images` as a view of itself."""
    classes = read_classes(DATA / images)
    splits = {}
    for split in SPLITS:
        pixels, labels = open_dataset(images, split)
        splits[split] = Split(pixels, np.arange(len(pixels)), np.asarray(labels), np.asarray(labels))
    return View(splits["train"], splits["test"], classes, classes)


def _open_split(images: str, folder: Path, split: str, n_classes: int, crop: int | None) -> Split:
    pixels, fine = open_dataset(images, split)
    rows, labels = read(folder / f"{split}_index.npy"), read(folder / f"{split}_labels.npy")
    if len(rows) != len(labels):
        raise ValueError(f"{folder}: {split}_labels.npy has {len(labels)} labels for {len(rows)} rows")
    if len(rows) == 0:
        raise ValueError(f"{folder}: {split} has no rows")
    if rows.max() >= len(pixels):
        raise ValueError(f"{folder}: {split}_index.npy names row {rows.max()}, {images} has {len(pixels)}")
    if labels.max() >= n_classes:
        raise ValueError(f"{folder}: {split}_labels.npy has label {labels.max()}, there are {n_classes} classes")
    return Split(pixels, np.asarray(rows), np.asarray(labels), np.asarray(fine[rows]), crop)


def centre_crop(images: np.ndarray, side: int | None) -> np.ndarray:
    """The middle `side` x `side` pixels of N x H x W x C images; all of them when side is None."""
    if side is None:
        return images
    top, left = (images.shape[1] - side) // 2, (images.shape[2] - side) // 2
    return images[:, top : top + side, left : left + side]


def fit_into(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Images centred on a black ground of `shape` (H, W, C), grey copied to every channel. Kneusel ch. 14."""
    height, width, channels = images.shape[1:]
    if height > shape[0] or width > shape[1] or channels not in (1, shape[2]):
        raise ValueError(f"images of {(height, width, channels)} do not fit into {shape}")
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    fitted = np.zeros((len(images), *shape), images.dtype)
    fitted[:, top : top + height, left : left + width] = images
    return fitted
