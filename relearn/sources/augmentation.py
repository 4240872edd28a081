"""Chapter 5's augmentation: mirrored, then rotated a little or cropped off centre; drawn first, then applied.

What happens to an image is drawn for all images at once, so the result does not depend on the block size
in which the images are then made.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from relearn.data import seeds
from relearn.data.arrays import centre_crop
from relearn.params.data import Augment

TURNED = 64  # images at once: what is computed of them stays in the processor's cache


@dataclass(frozen=True)
class Draws:
    """For each output image: source row, copy (0 is the plain crop), mirrored, angle in degrees (0: none), offsets."""

    source: np.ndarray
    copy: np.ndarray
    mirrored: np.ndarray
    degrees: np.ndarray
    top: np.ndarray
    left: np.ndarray

    def __len__(self) -> int:
        return len(self.source)


def draw(spec: Augment, side: int, seed: int, key: str) -> Draws:
    """The shuffled plan of `spec.source_images` x (1 + `spec.copies`) output images from images of `side` pixels."""
    random = seeds.generator(seed, "augment", key)
    each = 1 + spec.copies
    n = spec.source_images * each
    source, copy = np.divmod(random.permutation(n), each)
    altered = copy > 0
    rotated = altered & (random.random(n) < spec.rotate_probability)
    shifted = altered & ~rotated
    centre = (side - spec.crop) // 2
    offsets = random.integers(0, spec.max_offset + 1, (2, n))
    return Draws(
        source=source.astype(np.uint32),
        copy=copy.astype(np.uint8),
        mirrored=altered & (random.random(n) < spec.mirror_probability),
        degrees=np.where(rotated, random.uniform(-spec.max_degrees, spec.max_degrees, n), 0).astype(np.float32),
        top=np.where(shifted, offsets[0], centre).astype(np.uint8),
        left=np.where(shifted, offsets[1], centre).astype(np.uint8),
    )


def apply(images: np.ndarray, draws: Draws, block: slice, crop: int) -> np.ndarray:
    """Output images `block` of the plan: uint8, (len, crop, crop, C)."""
    sources = images[draws.source[block]]
    mirrored, turned = draws.mirrored[block], draws.degrees[block] != 0
    sources[mirrored] = sources[mirrored, :, ::-1]
    crops = np.empty((len(sources), crop, crop, images.shape[3]), np.uint8)
    for top, left in itertools.product(np.unique(draws.top[block]), np.unique(draws.left[block])):
        here = (draws.top[block] == top) & (draws.left[block] == left) & ~turned
        crops[here] = sources[here, top : top + crop, left : left + crop]
    crops[turned] = rotate_and_crop(sources[turned], draws.degrees[block][turned], crop)
    return crops


def rotate_and_crop(images: np.ndarray, degrees: np.ndarray, crop: int) -> np.ndarray:
    """Each image turned counter-clockwise about its centre (bilinear, black outside) and centre-cropped.

    images: uint8, N x H x W x C. degrees: N. Agrees with PIL's rotate(BILINEAR) to one grey level.
    """
    crops = np.empty((len(images), crop, crop, images.shape[3]), np.uint8)
    for start in range(0, len(images), TURNED):
        part = slice(start, start + TURNED)
        crops[part] = _turned(images[part], degrees[part], crop)
    return crops


def _turned(images: np.ndarray, degrees: np.ndarray, crop: int) -> np.ndarray:
    """`rotate_and_crop` of a few images, channel by channel."""
    height, width = images.shape[1:3]
    angle = np.deg2rad(degrees.astype(np.float32))[:, None, None]
    cos, sin = np.cos(angle), np.sin(angle)
    y = centre_crop(np.arange(height, dtype=np.float32)[None, :, None, None].repeat(width, 2), crop)[0, :, :, 0]
    x = centre_crop(np.arange(width, dtype=np.float32)[None, None, :, None].repeat(height, 1), crop)[0, :, :, 0]
    y, x = y - np.float32((height - 1) / 2), x - np.float32((width - 1) / 2)
    from_x = cos * x - sin * y + np.float32((width - 1) / 2) + 1
    from_y = sin * x + cos * y + np.float32((height - 1) / 2) + 1
    from_x, from_y = from_x.clip(0, width + 0.999), from_y.clip(0, height + 0.999)
    left, top = from_x.astype(np.intp), from_y.astype(np.intp)
    right_share, low_share = from_x - left, from_y - top
    row = width + 2
    places = (np.arange(len(images))[:, None, None] * (height + 2) + top) * row + left
    crops = np.empty((*places.shape, images.shape[3]), np.uint8)
    for channel in range(images.shape[3]):
        plane = np.pad(images[..., channel], ((0, 0), (1, 1), (1, 1))).astype(np.float64).ravel()
        upper = plane.take(places) * (1 - right_share) + plane[1:].take(places) * right_share
        lower = plane[row:].take(places) * (1 - right_share) + plane[row + 1 :].take(places) * right_share
        crops[..., channel] = upper * (1 - low_share) + lower * low_share + np.float32(0.5)
    return crops
