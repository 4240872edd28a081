"""dvc.lock, as it was when a stage began. DVC writes it in place: a kill at that moment leaves half of it."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from relearn.process import atomic

LOCK = Path("dvc.lock")
KEPT = Path(".state/dvc.lock")
SETTLED = 2.0  # seconds in which a DVC that lives has written such a file to its end
BUSY = Path(".dvc/tmp/rwlock")  # at the project's top: who reads and writes what; written in place, too


def keep() -> None:
    """Keeps a copy of dvc.lock with its time, whole since DVC has just read it. Without room on the disk there is none."""
    if LOCK.is_file():
        with contextlib.suppress(OSError), atomic.replacing(KEPT) as partial:
            shutil.copy2(LOCK, partial)


def recover() -> list[str]:
    """Puts the copy back where dvc.lock was cut off, without a copy removes it; gives a line for each file that was mended.

    A file that is being written by a DVC that lives is left alone. ValueError when dvc.lock has conflicts of a merge.
    """
    lines = []
    if _stays(LOCK, _is_cut):
        if "<<<<<<<" in LOCK.read_text(errors="replace"):
            raise ValueError(f"{LOCK}: has conflicts of a merge: take one side (`git checkout --ours {LOCK}`), then `dvc repro`")
        if KEPT.is_file() and not _is_cut(KEPT):
            with atomic.replacing(LOCK) as partial:
                shutil.copy2(KEPT, partial)
            lines.append(f"{LOCK}: was cut off; put back as it was before the last stage")
        else:
            LOCK.unlink()
            lines.append(
                f"{LOCK}: was cut off; removed, since no stage has kept a copy (`git checkout {LOCK}` has the committed one)"
            )
    if _stays(BUSY, _is_no_json):
        BUSY.unlink()
        lines.append(f"{BUSY}: was cut off; removed")
    return lines


def _stays(path: Path, cut: Callable[[Path], bool]) -> bool:
    """Whether a file is `cut` off, and nobody is writing it."""
    while path.is_file() and cut(path):
        before = path.stat()
        time.sleep(SETTLED)
        if path.is_file() and (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size):
            return True
    return False


def written() -> int:
    """When dvc.lock was last written, in nanoseconds; 0 before the first time."""
    return LOCK.stat().st_mtime_ns if LOCK.is_file() else 0


def _is_no_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(errors="replace"))
    except ValueError:
        return True
    return False


def _is_cut(path: Path) -> bool:
    """Whether dvc.lock, or the copy of it, ends within a stage, or has fewer stages than were there when the copy was made."""
    text = path.read_text(errors="replace")
    try:
        stages = YAML(typ="safe").load(text)["stages"]
        last = list(stages.values())[-1]["outs"][-1]
    except (YAMLError, AttributeError, TypeError, KeyError, IndexError):
        return True
    if not text.endswith("\n") or not {"path", "size"} <= set(last):
        return True
    if path == KEPT or not KEPT.is_file() or LOCK.stat().st_mtime_ns <= KEPT.stat().st_mtime_ns:
        return False
    lost = set(YAML(typ="safe").load(KEPT.read_text())["stages"]) - set(stages)  # cut between two entries
    return bool(lost) and text != _committed()


def _committed() -> str:
    """dvc.lock as git has it: one of another branch is whole, though stages of this one are not in it."""
    return subprocess.run(["git", "show", f"HEAD:./{LOCK}"], capture_output=True, text=True, check=False).stdout
