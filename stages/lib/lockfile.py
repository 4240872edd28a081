"""dvc.lock, as it was when a stage began. DVC writes it in place: a kill at that moment leaves half of it."""

import json
import os
import shutil
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

LOCK = Path("dvc.lock")
KEPT = Path(".state/dvc.lock")
BUSY = Path(".dvc/tmp/rwlock")  # who reads and writes what; written in place, too


def keep() -> None:
    """Keeps a copy of dvc.lock with its time, whole since DVC has just read it."""
    if LOCK.is_file():
        KEPT.parent.mkdir(exist_ok=True)
        shutil.copy2(LOCK, partial := KEPT.with_suffix(f".{os.getpid()}.partial"))
        os.replace(partial, KEPT)


def recover() -> list[Path]:
    """Puts the copy back where dvc.lock was cut off, without a copy removes it; gives the files that were mended."""
    return [path for path, mended in ((LOCK, _put_back()), (BUSY, _cleared())) if mended]


def _put_back() -> bool:
    if not LOCK.is_file() or _is_whole(LOCK):
        return False
    if KEPT.is_file() and _is_whole(KEPT):
        shutil.copy2(KEPT, partial := LOCK.with_suffix(".partial"))
        os.replace(partial, LOCK)
    else:
        LOCK.unlink()
    return True


def _cleared() -> bool:
    try:
        json.loads(BUSY.read_text())
    except FileNotFoundError:
        return False
    except ValueError:
        BUSY.unlink()
        return True
    return False


def written() -> int:
    """When dvc.lock was last written, in nanoseconds; 0 before the first time."""
    return LOCK.stat().st_mtime_ns if LOCK.is_file() else 0


def _is_whole(path: Path) -> bool:
    text = path.read_text(errors="replace")
    try:
        return text.endswith("\n") and isinstance(YAML(typ="safe").load(text), dict)
    except YAMLError:
        return False
