"""The folders in .state/ from which interrupted trainings resume: which are no longer needed."""

import contextlib
import os
import shutil
from pathlib import Path

from relearn.process import atomic, lockfile

STATE = Path(".state")
FINISHED = "finished"  # a file that holds the time of dvc.lock when its training ended


def finish(key: str) -> None:
    """Removes the states of `key` and of its repeats, whose results are written.

    Under DVC not before dvc.lock names these results (see `sweep`): killed in between, DVC runs the stage once more.
    """
    for state in STATE.glob(f"{key}-*"):
        if os.environ.get("DVC_STAGE"):
            with atomic.replacing(state / FINISHED) as partial:
                partial.write_text(str(lockfile.written()))
        else:
            shutil.rmtree(state, ignore_errors=True)


def sweep() -> None:
    """Removes the states of finished trainings whose results dvc.lock names: it has been written since."""
    for mark in STATE.glob(f"*/{FINISHED}"):
        with contextlib.suppress(FileNotFoundError):  # several workers sweep at once
            if mark.read_text() != str(lockfile.written()):
                shutil.rmtree(mark.parent, ignore_errors=True)
