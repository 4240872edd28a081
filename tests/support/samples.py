"""Made-up photographs, for tests of the second pipeline and for runs of it that are killed and repeated."""

import hashlib
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.clones import Settings

COLOURS = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (50, 60, 210)}
EACH = 9
SETS = {"my_augmented": "augmented", "my_copies": "copies", "my_frozen": "frozen"}  # data sets, and their recipes


def photograph(path: Path, colour: tuple[int, int, int], seed: int) -> None:
    """Writes a JPEG of 90 x 70 pixels of about one colour."""
    noise = np.random.default_rng(seed).normal(0, 25, (70, 90, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(path, quality=90)


def folder(place: Path) -> Path:
    """Fills `place` with a folder of photographs for each of COLOURS."""
    for first, (name, colour) in enumerate(COLOURS.items()):
        for number in range(EACH):
            photograph(place / name / f"{name}_{number}.jpg", colour, 100 * first + number)
    return place


def archive(pictures: Path, path: Path) -> str:
    """Packs the folder `pictures` into the archive `path`; gives its SHA-256."""
    with tarfile.open(path, "w") as packed:
        for name in sorted(COLOURS):
            packed.add(pictures / name, name)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def prune(settings: Settings, place: str, sets: Mapping[str, str] = SETS) -> None:
    """Leaves these data sets in photos/params.yaml, all of the photographs at `place`, and no archives."""
    about = {"folder": place, "test_fraction": 0.34, "side": 64, "backbone": "lite0"}
    datasets = {name: about | {"recipe": recipe} for name, recipe in sets.items()}
    settings.update(archives={}, datasets=datasets, report={"gallery": {}})
