"""Temporary folders in which stages of this project run on its data, with params of their own."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from relearn.data import arrays
from relearn.data.arrays import Split
from tests.support import clones

ROOT = clones.ROOT
NEEDED = ("data/cifar10", "models/backbones/lite0.keras")


def missing() -> str:
    """What the measurements need and is not there, with the cure; empty when all is there."""
    lacking = [name for name in NEEDED if not (ROOT / name).exists()]
    return f"{', '.join(lacking)} missing: dvc repro download@cifar10 fetch@lite0" if lacking else ""


@contextlib.contextmanager
def made(change: Callable[[dict[str, Any]], None], path: str = "params.yaml") -> Iterator[Path]:
    """A folder with the parameters of `path` as `change` leaves them, and links to this project's CIFAR-10 and backbones."""
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        settings = YAML(typ="safe").load((ROOT / path).read_text())
        change(settings)
        with (folder / "params.yaml").open("w") as stream:
            YAML().dump(settings, stream)
        for name in ("data/cifar10", "models/backbones"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(ROOT / name)
        yield folder


def run(folder: Path, stage: str, *keys: str) -> None:
    """A stage of this project, run in `folder`."""
    environment = clones.environment(PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", f"stages.{stage}", *keys]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def cifar10(n: int, keep: list[int] | None = None, crop: int | None = None) -> Split:
    """The first `n` training images of CIFAR-10, of the classes in `keep`, relabelled by their place in it; in memory."""
    folder = ROOT / arrays.DATA / "cifar10"
    images, labels = arrays.read(folder / "train_images.npy"), np.asarray(arrays.read(folder / "train_labels.npy"))
    rows = np.flatnonzero(np.isin(labels, keep) if keep else np.ones(len(labels), bool))[:n]
    new = np.searchsorted(keep, labels[rows]).astype("uint8") if keep else labels[rows]
    return Split(arrays.centre_crop(images[rows], crop).copy(), np.arange(len(rows)), new, new)
