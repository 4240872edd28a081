"""Pictures made of a data set's own pixels, enlarged without smoothing; in a page the larger ones are packed as WebP."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.util import montage

ZOOM = 2
GAP = 2
GREY = 128
SHOWN_SIDE = 128
EXACT_SIDE = 64
QUALITY = 85  # of WebP, in 0..100


def sheet(images: np.ndarray, columns: int, path: Path) -> None:
    """Writes a PNG of N x H x W x C images in rows of `columns`, each twice its size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _page(images, columns).save(path)


def sheet_uri(images: np.ndarray, columns: int) -> str:
    """The same as a `data:` address."""
    return _uri(_page(images, columns))


def _page(images: np.ndarray, columns: int) -> Image.Image:
    shape = (-(-len(images) // columns), columns)
    page = montage(images, fill=(GREY,) * 3, grid_shape=shape, padding_width=GAP, channel_axis=-1)[GAP:-GAP, GAP:-GAP]
    return Image.fromarray(page).resize((page.shape[1] * ZOOM, page.shape[0] * ZOOM), Image.Resampling.NEAREST)


def data_uri(image: np.ndarray) -> str:
    """One H x W x C image as a `data:` address, no larger than SHOWN_SIDE; grey ones have one channel."""
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return _uri(picture)


def file_uri(path: Path) -> str:
    """A picture file as a `data:` address."""
    with Image.open(path) as picture:
        return _uri(picture.convert("RGB"))


def _uri(picture: Image.Image) -> str:
    """Small pictures as they are, as PNG; large ones as WebP, which takes a fifth of the bytes."""
    stream = io.BytesIO()
    kind = "PNG" if max(picture.size) <= EXACT_SIDE else "WebP"
    picture.save(stream, kind, quality=QUALITY, method=6)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(stream.getvalue()).decode()
