"""dvc.lock, as it was when a stage began. DVC writes it in place: a kill at that moment leaves half of it."""

import contextlib
import fcntl
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from relearn.process import atomic

LOCK = Path("dvc.lock")
KEPT = Path(".state/dvc.lock")
SETTLED = 2.0  # seconds in which a DVC that lives has written such a file to its end
HELD = Path(".dvc/tmp/lock")  # by the DVC that reads or writes
BUSY = Path(".dvc/tmp/rwlock")  # at the project's top: who reads and writes what; written in place, too


def keep() -> None:
    """Keeps a copy of dvc.lock with its time, taken while no DVC writes it. Without room on the disk there is none."""
    if LOCK.is_file():
        with contextlib.suppress(OSError), _no_dvc_writes(), atomic.replacing(KEPT) as partial:
            shutil.copy2(LOCK, partial)


@contextlib.contextmanager
def _no_dvc_writes() -> Iterator[None]:
    """Waits until no DVC holds the repository's lock, under which it writes, and lets none have it meanwhile."""
    if not (path := HELD if HELD.is_file() else ".." / HELD).is_file():
        yield
        return
    with path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        yield


def recover(folders: Iterable[Path] = (Path(),)) -> list[str]:
    """Mends what a kill has left of each folder's dvc.lock and of DVC's list of who is busy; gives a line for each file.

    dvc.lock becomes its copy again, or is removed where there is none. A file that a living DVC is writing is left alone.
    Started at the project's top. ValueError when a dvc.lock has conflicts of a merge.
    """
    lines = [line for folder in folders for line in _put_back(folder / LOCK, folder / KEPT)]
    if _stays(BUSY, _is_no_json):
        BUSY.unlink()
        lines.append(f"{BUSY}: was cut off; removed")
    return lines


def _put_back(lock: Path, kept: Path) -> Iterator[str]:
    if not _stays(lock, lambda path: _is_cut(path, kept)):
        return
    if "<<<<<<<" in lock.read_text(errors="replace"):
        raise ValueError(f"{lock}: has conflicts of a merge: take one side (`git checkout --ours {lock}`), then `dvc repro`")
    if kept.is_file() and _stages(kept, lock.with_name("dvc.yaml")) is not None:
        with atomic.replacing(lock) as partial:
            shutil.copy2(kept, partial)
        yield f"{lock}: was cut off; put back as it was before the last stage"
    else:
        lock.unlink()
        yield f"{lock}: was cut off; removed, since no stage has kept a copy (`git checkout {lock}` has the committed one)"


def _stays(path: Path, cut: Callable[[Path], bool]) -> bool:
    """Whether a file is `cut` off, and nobody is writing it."""
    while path.is_file() and cut(path):
        before = path.stat()
        time.sleep(SETTLED)
        if path.is_file() and (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size):
            return True
    return False


def _is_no_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(errors="replace"))
    except ValueError:
        return True
    return False


def _is_cut(lock: Path, kept: Path) -> bool:
    """Whether dvc.lock ends within a stage, or has only the first of the stages that were there when the copy was made.

    As git has it the file is whole: then it is of another branch, or dvc.yaml has changed since.
    """
    pipeline, text = lock.with_name("dvc.yaml"), lock.read_text(errors="replace")
    stages = _stages(lock, pipeline)
    if stages is not None:
        if not kept.is_file() or lock.stat().st_mtime_ns <= kept.stat().st_mtime_ns:
            return False
        before = _stages(kept, pipeline) or []
        if stages != before[: len(stages)] or len(stages) >= len(before):
            return False
    return not text or text != _committed(lock)


def _stages(lock: Path, pipeline: Path) -> list[str] | None:
    """The names of the stages, in the file's order; None where the file ends within one."""
    text = lock.read_text(errors="replace")
    try:
        stages = YAML(typ="safe").load(text)["stages"]
        name, entry = list(stages.items())[-1]
        whole = {"path", "size"} <= set(entry["outs"][-1]) if _writes(pipeline, name) else all(entry.values())
    except (YAMLError, AttributeError, TypeError, KeyError, IndexError):
        return None
    return list(stages) if text.endswith("\n") and whole else None


def _writes(pipeline: Path, stage: str) -> bool:
    """Whether dvc.yaml gives a stage outputs, which end its entry; True where dvc.yaml does not say."""
    try:
        spec = YAML(typ="safe").load(pipeline.read_text())["stages"][stage.partition("@")[0]]
        return any(spec.get("do", spec).get(kind) for kind in ("outs", "metrics", "plots"))
    except (OSError, YAMLError, AttributeError, TypeError, KeyError):
        return True


def _committed(lock: Path) -> str:
    """The file as git has it."""
    return subprocess.run(["git", "show", f"HEAD:./{lock}"], capture_output=True, text=True, check=False).stdout
