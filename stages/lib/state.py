"""Where an interrupted training goes on from: folders of their own in .state/, which DVC does not know."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from stages.lib import lockfile
from stages.lib.arrays import Split

STATE = Path(".state")
FINISHED = "finished"  # a file that holds the time of dvc.lock when its training ended


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
    sweep()
    return mine


def finish(state: Path) -> None:
    """Removes the state of a training whose results are written.

    Under DVC not before dvc.lock names these results (see `folder`): killed in between, DVC runs the stage once more.
    """
    if os.environ.get("DVC_STAGE") and state.is_dir():
        (partial := state / f"{FINISHED}.partial").write_text(str(lockfile.written()))
        os.replace(partial, state / FINISHED)
    else:
        shutil.rmtree(state, ignore_errors=True)


def finish_all(key: str) -> None:
    """The same for every state of `key`, whatever its hash."""
    for state in STATE.glob(f"{key}-*"):
        finish(state)


def sweep() -> None:
    """Removes the states of finished trainings whose results dvc.lock names: it has been written since."""
    for mark in STATE.glob(f"*/{FINISHED}"):
        with contextlib.suppress(FileNotFoundError):  # several workers sweep at once
            if mark.read_text() != str(lockfile.written()):
                shutil.rmtree(mark.parent, ignore_errors=True)
