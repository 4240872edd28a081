"""Where an interrupted training goes on from: folders of their own in .state/, which DVC does not know."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from stages.lib.arrays import Split

STATE = Path(".state")


def folder(key: str, *ingredients: Any, splits: Sequence[Split] = (), weights: Sequence[np.ndarray] = ()) -> Path:
    """`.state/<key>-<hash>` for a training of these ingredients (JSON values), data, starting weights and code.

    States of `key` for other ingredients are removed: they could never be gone on from again.
    """
    digest = hashlib.sha256(json.dumps([*ingredients, version("keras"), version("tensorflow")]).encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    for split in splits:
        digest.update(repr((split.crop, split.images.shape)).encode())
        for array in (split.images, split.rows, split.labels):
            digest.update(np.ascontiguousarray(array).data)
    for array in weights:
        digest.update(np.ascontiguousarray(array).data)
    mine = STATE / f"{key}-{digest.hexdigest()[:16]}"
    for stale in STATE.glob(f"{key}-*"):
        if stale != mine:
            shutil.rmtree(stale, ignore_errors=True)
    return mine


def forget(state: Path) -> None:
    """Removes the state of a training whose results are written."""
    shutil.rmtree(state, ignore_errors=True)


def forget_all(key: str) -> None:
    """Removes every state of `key`, whatever its hash."""
    for state in STATE.glob(f"{key}-*"):
        forget(state)
