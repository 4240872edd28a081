"""Changes of images that are made with each batch: shifted crops of the reflected image, and mirror images.

While training they are drawn anew in every epoch. Testing, a network may see each image in several of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from relearn.data import seeds
from relearn.params.training import Augmentation

# (mirrored, down, right), and the weight of what the network makes of it. Jordan 2024, "94% on CIFAR-10 in 3.29 seconds".
View = tuple[bool, int, int]
VIEWS: dict[str, dict[View, float]] = {
    "mirror": {(False, 0, 0): 0.5, (True, 0, 0): 0.5},
    "mirror_and_shift": {
        (False, 0, 0): 0.25, (True, 0, 0): 0.25,
        (False, 1, 1): 0.125, (True, 1, 1): 0.125, (False, -1, -1): 0.125, (True, -1, -1): 0.125,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Draws:
    """For each image: whether it is mirrored, and by how many pixels its content moves down and to the right."""

    mirrored: np.ndarray
    down: np.ndarray
    right: np.ndarray

    def at(self, places: np.ndarray) -> "Draws":
        return Draws(self.mirrored[places], self.down[places], self.right[places])


def draw(spec: Augmentation, images: int, seed: int, epoch: int) -> Draws:
    """What happens to each of `images` in `epoch`, counted from 0; depends on nothing but (spec, seed, epoch)."""
    mirrored = np.zeros(images, bool)
    if spec.mirror_in_turn:
        first = seeds.generator(seed, "mirror_in_turn").random(images) < 0.5
        mirrored = first ^ (epoch % 2 == 1)
    random = seeds.generator(seed, "crop", epoch)
    down, right = random.integers(-spec.crop_padding, spec.crop_padding, (2, images), endpoint=True)
    return Draws(mirrored, down, right)


def apply(images: np.ndarray, draws: Draws) -> np.ndarray:
    """The changed images (N x H x W x C, as they came); what moves in is the image reflected at its edge."""
    changed = images.copy()
    changed[draws.mirrored] = changed[draws.mirrored, :, ::-1]
    margin = int(max(np.abs(draws.down).max(initial=0), np.abs(draws.right).max(initial=0)))
    if margin == 0:
        return changed
    padded = np.pad(changed, ((0, 0), (margin, margin), (margin, margin), (0, 0)), "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[1:3], axis=(1, 2))
    moved = windows[np.arange(len(images)), margin - draws.down, margin - draws.right]
    return np.ascontiguousarray(moved.transpose(0, 2, 3, 1))


def views(images: np.ndarray, kind: str) -> Iterator[tuple[np.ndarray, float]]:
    """Each of the `VIEWS` of all images, and its weight; the weights add up to one."""
    for (mirrored, down, right), weight in VIEWS[kind].items():
        every = len(images)
        yield apply(images, Draws(np.full(every, mirrored), np.full(every, down), np.full(every, right))), weight
