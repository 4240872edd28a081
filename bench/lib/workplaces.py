"""Temporary folders in which stages run with params of their own, and the data that all measurements share."""

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from relearn import checks
from relearn.data import arrays
from relearn.data.arrays import Split
from relearn.params import whole
from relearn.params.base import Compute
from relearn.params.whole import Params

ROOT = Path(__file__).parents[2]
CIFAR10, LITE0 = ROOT / "data/cifar10", ROOT / "models/backbones/lite0.keras"
OUTPUTS = re.compile(r"(photos/)?(metrics/|plots/|reports/|dvc\.lock)")
OWN_CACHE = "[cache]\n    dir = cache\n"  # whatever cache this user's other projects share
FASTEST = Compute(precision="auto", threads="auto", jobs="auto")

Change = Callable[[dict[str, Any]], None]


def check() -> None:
    """ValueError with the cure when what the measurements need is not there."""
    if missing := [str(path.relative_to(ROOT)) for path in (CIFAR10, LITE0) if not path.exists()]:
        raise ValueError(f"{', '.join(missing)} missing: dvc repro download@cifar10 fetch@lite0")


def settings() -> Params:
    """The project's own parameters, computed as fast as this machine can, which scales smoke and quick give up."""
    return checks.load(ROOT / whole.FILE).model_copy(update={"compute": FASTEST})


@contextlib.contextmanager
def with_params(change: Change) -> Iterator[Path]:
    """A folder with the project's params.yaml as `change` leaves it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        values = whole.read(ROOT / whole.FILE)
        change(values)
        with (folder / whole.FILE).open("w") as stream:
            YAML().dump(values, stream)
        yield folder


@contextlib.contextmanager
def clone(change: Change) -> Iterator[Path]:
    """The same with all files of the project but outputs, and a git repository and a DVC cache of its own."""
    with with_params(change) as folder:
        copy_files(folder)
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        yield folder


def copy_files(folder: Path) -> None:
    """Copies into `folder` what it lacks of the working tree, without outputs and what git ignores, and sets a cache there."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (ROOT / name).is_file() and not (folder / name).exists() and not OUTPUTS.match(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".dvc/config.local").write_text(OWN_CACHE)


def cifar10(n: int, keep: list[int] | None = None, crop: int | None = None) -> Split:
    """The first `n` training images of CIFAR-10, of the classes in `keep`, relabelled by their place in it; in memory."""
    images, labels = arrays.read(CIFAR10 / "train_images.npy"), np.asarray(arrays.read(CIFAR10 / "train_labels.npy"))
    rows = np.flatnonzero(np.isin(labels, keep) if keep else np.ones(len(labels), bool))[:n]
    new = np.searchsorted(keep, labels[rows]).astype("uint8") if keep else labels[rows]
    return Split(arrays.centre_crop(images[rows], crop).copy(), np.arange(len(rows)), new, new)
