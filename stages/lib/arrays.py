"""Data sets and views: folders of plain arrays, opened in no time and read in batches.

A data set holds {train,test}_images.npy (uint8, N x H x W x C), {train,test}_labels.npy (uint8, N) and
classes.json. A view (made by `relabel`) holds, for each split, the rows it takes and their new labels.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DATA = Path("data")
VIEWS = DATA / "views"
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Split:
    """Some rows of a data set's images in an order, with a label each; pixels are read when asked for."""

    images: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    fine_labels: np.ndarray
    crop: int | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of a batch's images."""
        height, width, channels = self.images.shape[1:]
        return (self.crop or height, self.crop or width, channels)

    def batch(self, places: np.ndarray | slice) -> np.ndarray:
        """Images at `places` of this split, cropped about the centre: uint8, (len, H, W, C)."""
        return centre_crop(self.images[self.rows[places]], self.crop)

    def part(self, places: slice) -> "Split":
        """The split of the rows at `places` only."""
        return Split(self.images, self.rows[places], self.labels[places], self.fine_labels[places], self.crop)


@dataclass(frozen=True)
class View:
    """A relabelled data set; label k is called classes[k], fine label k of the data set fine_classes[k]."""

    train: Split
    test: Split
    classes: list[str]
    fine_classes: list[str]

    def validation_and_score(self, n_validation: int) -> tuple[Split, Split]:
        """The first `n_validation` test rows, and all others: what curves show is never what is scored."""
        if n_validation >= len(self.test):
            raise ValueError(f"validation: {n_validation} leaves no test images of {len(self.test)} to score")
        return self.test.part(slice(0, n_validation)), self.test.part(slice(n_validation, None))


def read(path: Path) -> np.ndarray:
    """A memory-mapped array; object arrays are refused. ValueError naming the file when it is no array."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path}: is no plain array: {error}") from error


def write(folder: Path, **arrays: np.ndarray) -> None:
    """Writes <name>.npy for each array into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def write_blocks(path: Path, shape: tuple[int, ...], blocks: Iterable[np.ndarray]) -> None:
    """Writes one uint8 array of `shape` block by block along its first axis; memory holds one block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for block in blocks:
            stream.write(np.ascontiguousarray(block, np.uint8).data)


def write_classes(folder: Path, classes: list[str]) -> None:
    """Writes the class names, label order."""
    (folder / "classes.json").write_text(json.dumps(classes, indent=2) + "\n")


def read_classes(folder: Path) -> list[str]:
    """Class names of a data set, view or embedding."""
    return list(json.loads((folder / "classes.json").read_text()))


def open_dataset(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (uint8, N x H x W x C) and labels (uint8, N) of a data set's split, checked against each other."""
    folder = DATA / name
    images, labels = read(folder / f"{split}_images.npy"), read(folder / f"{split}_labels.npy")
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
