"""Photographs of people: image files of any origin in, upright uint8 RGB arrays out, or one line saying why not.

A file is judged by what is in it, never by its name, and its size is looked at before it is decoded.
"""

import importlib.util
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from relearn.data import arrays, containers
from relearn.photos import decoding

ROW_OF_A_DATA_SET = re.compile(r"([a-z][a-z0-9_]*):(train|test):(\d+)")
SHIPPED = {"skimage": "data", "sklearn": "datasets/images"}  # folders of pictures in those packages
THUMBNAIL, GAP, LETTERS = 80, 4, 14  # pixels
SHEET_ROWS, SHEET_COLUMNS = 32, 8


def read_image(source: Path | bytes, name: str | None = None, side: int | None = None) -> np.ndarray:
    """An image file's first frame as uint8 H x W x 3 sRGB: turned as its EXIF says, alpha on white, grey in all channels.

    source: a path, or a file's bytes; name: what errors call it (the path). side: where the image will be
    scaled to so many pixels; huge JPEGs are then decoded at 1/2, 1/4 or 1/8 of their size, never below 2 `side`
    unless they have more than decoding.MAX_PIXELS pixels.
    Raises ValueError in one line, `<name>: <reason>`, for what is no JPEG, PNG, WebP, GIF, BMP or TIFF, is empty or
    damaged, camera RAW, transparent everywhere, or would be more than decoding.MAX_PIXELS pixels when decoded.
    """
    name = name or (str(source) if isinstance(source, Path) else "picture")
    if isinstance(source, Path):
        if not source.is_file():
            raise ValueError(f"{name}: {'is no file' if source.exists() else 'no such file'}")
        try:
            with source.open("rb") as stream:
                source = containers.bounded(stream, name, containers.FILE_LIMIT)
        except OSError as error:
            raise ValueError(f"{name}: {error.strerror or error}") from error
    if not source:
        raise ValueError(f"{name}: the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, lower limit on pixels, and odd metadata
            return decoding.decoded(source, side)
    except UnidentifiedImageError:
        raise ValueError(f"{name}: {decoding.why_unknown(source)}") from None
    except Image.DecompressionBombError:
        raise ValueError(f"{name}: {decoding.TOO_MANY}") from None
    except Exception as error:  # a damaged file makes its decoder raise anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        if "Decompressed data too large" in reason or "memory used in text chunks" in reason:
            reason = decoding.TOO_MUCH_TEXT
        elif not isinstance(error, decoding.Refused):
            reason = f"is damaged: {reason}"
        raise ValueError(f"{name}: {reason}") from error


def fit(image: np.ndarray, side: int, how: Literal["crop", "stretch"] = "crop") -> np.ndarray:
    """An H x W x C uint8 image scaled (bilinear, antialiased) to side x side x C.

    "crop": the shorter side becomes `side`, the middle of the longer one is kept. "stretch": both become `side`.
    """
    height, width, channels = image.shape
    box = (0.0, 0.0, float(width), float(height))
    if how == "crop":
        square = min(height, width)
        left, top = (width - square) / 2, (height - square) / 2
        box = (left, top, left + square, top + square)  # never the whole scaled image: it may be long and thin
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    scaled = picture.resize((side, side), Image.Resampling.BILINEAR, box=box)
    return np.asarray(scaled, np.uint8).reshape(side, side, channels)


def shipped(name: str) -> np.ndarray:
    """A picture that scikit-image or scikit-learn ships: `skimage:chelsea`, `sklearn:china.jpg`; uint8 H x W x 3.

    Raises ValueError naming those that there are.
    """
    package, _, title = name.partition(":")
    place = importlib.util.find_spec(package) if package in SHIPPED else None
    if place is None or not place.submodule_search_locations:
        raise ValueError(f"{name}: pictures are shipped by {' and '.join(f'{known}:<name>' for known in SHIPPED)}")
    folder = Path(place.submodule_search_locations[0]) / SHIPPED[package]
    files = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in (".gif", ".jpg", ".png", ".tif")}
    stems = {path.stem: path for path in files.values()}
    if title not in files and title not in stems:
        raise ValueError(f"{name}: {package} ships {', '.join(stems)}")
    return read_image(files.get(title) or stems[title], name)


def open_any(name: str) -> np.ndarray:
    """The picture that `name` stands for, uint8 H x W x 3; ValueError in one line when it cannot be had.

    name: a file's path; a shipped picture, `skimage:chelsea`; a row of a data set, `cifar10:train:1`.
    """
    if Path(name).is_file():
        return read_image(Path(name))
    if name.partition(":")[0] in SHIPPED and ":" in name:
        return shipped(name)
    if row := ROW_OF_A_DATA_SET.fullmatch(name):
        return _row(name, row[1], row[2], int(row[3]))
    return read_image(Path(name))


def contact_sheet(images: Mapping[str, Sequence[np.ndarray]], path: Path) -> None:
    """Writes a PNG with a row a class (the first SHEET_ROWS): its name and its first SHEET_COLUMNS images, small."""
    font = ImageFont.load_default(LETTERS)
    rows = list(images.items())[:SHEET_ROWS]
    margin = GAP + max(round(font.getlength(name)) for name, _ in rows) + GAP
    step = THUMBNAIL + GAP
    columns = max(len(row[:SHEET_COLUMNS]) for _, row in rows)
    page = Image.new("RGB", (margin + columns * step, len(rows) * step + GAP), "white")
    pen = ImageDraw.Draw(page)
    for line, (name, row) in enumerate(rows):
        top = GAP + line * step
        pen.text((margin - GAP, top + THUMBNAIL / 2), name, "black", font, anchor="rm")
        for column, image in enumerate(row[:SHEET_COLUMNS]):
            page.paste(Image.fromarray(fit(image, THUMBNAIL)), (margin + column * step, top))
    path.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(256).save(path)  # a third of the bytes, and git keeps them


def shown(text: str) -> str:
    """A file's name, or a line with one, as it may be printed: in one line, control characters escaped."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _row(name: str, images: str, split: str, row: int) -> np.ndarray:
    if not (arrays.DATA / images / f"{split}_images.npy").is_file():
        raise ValueError(f"{name}: {arrays.DATA / images} holds no such data set; dvc repro makes those of params.yaml")
    pixels, _ = arrays.open_dataset(images, split)
    if row >= len(pixels):
        raise ValueError(f"{name}: rows are 0 to {len(pixels) - 1}")
    return np.repeat(pixels[row], 3 // pixels.shape[3], axis=2)
