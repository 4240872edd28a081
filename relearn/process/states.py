"""The folders in .state/ from which interrupted trainings resume: which are no longer needed."""

import contextlib
import hashlib
import os
import re
import shutil
from pathlib import Path

from relearn.process import atomic, lockfile

STATE = Path(".state")
FINISHED = "finished"  # a file that holds the MD5 of the training's metrics


def finish(key: str) -> None:
    """Removes the states of `key` and of its repeats, whose results are written.

    Under DVC not before dvc.lock names these results (see `sweep`): killed in between, DVC runs the stage once more.
    """
    metrics = Path("metrics", *key.split("-", 1)).with_suffix(".json")  # train-lenet: metrics/train/lenet.json
    for state in STATE.glob(f"{key}-*"):
        if os.environ.get("DVC_STAGE"):
            atomic.write_text(state / FINISHED, hashlib.md5(metrics.read_bytes(), usedforsecurity=False).hexdigest())
        else:
            shutil.rmtree(state, ignore_errors=True)


def sweep() -> None:
    """Removes the states of finished trainings whose metrics dvc.lock names."""
    noted = set(re.findall(r"\bmd5: (\w+)", lockfile.LOCK.read_text())) if lockfile.LOCK.is_file() else set()
    for mark in STATE.glob(f"*/{FINISHED}"):
        with contextlib.suppress(FileNotFoundError):  # several workers sweep at once
            if mark.read_text() in noted:
                shutil.rmtree(mark.parent, ignore_errors=True)
