"""Mend what a killed DVC leaves half done and trips over, so that `dvc repro` resumes. `make repro` calls it first.

    python -m tools.recover

Reads  dvc.lock and its copy .state/dvc.lock, here and in photos/; .dvc/tmp/rwlock; DVC's cache
Writes these two locks where they were cut off, from their copies; removes what else was cut off

DVC writes its locks and its list of who is busy in place (relearn/process/lockfile.py). At an entry of the run cache without
content it ends with "join() argument must be str ... not 'NoneType'". Unfinished copies into its cache it neither reads nor
removes.
"""

import os
import sys
import time
from pathlib import Path

from relearn.data import places
from relearn.process import command, lockfile

UNFINISHED = "??/*.tmp"  # DVC copies into its cache under such a name, and renames what is whole
ABANDONED = 3600.0  # seconds without a write: a living copy writes its next block sooner


def main() -> None:
    os.chdir(places.top())
    folder = cache()
    folders = [path.parent for path in (Path("dvc.yaml"), *sorted(Path().glob("*/dvc.yaml")))]
    for line in [*lockfile.recover(folders), *without_empty_runs(folder / "runs"), *without_unfinished(folder / "files/md5")]:
        print(line, file=sys.stderr)


def cache() -> Path:
    """DVC's cache; several projects may share one. ValueError where DVC finds no project, or a mistake in its settings."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            return Path(repo.cache.local_cache_dir)
    except DvcException as error:
        raise ValueError(f"DVC: {error}") from error


def without_empty_runs(folder: Path) -> list[str]:
    """Removes empty entries of the run cache that no DVC is about to fill; gives a line for each."""
    lines = []
    for entry in folder.glob("??/*/"):
        if any(entry.iterdir()):
            continue
        time.sleep(max(0.0, entry.stat().st_mtime + lockfile.SETTLED - time.time()))
        if not any(entry.iterdir()):
            try:
                entry.rmdir()
            except PermissionError:
                lines.append(f"{entry}: an entry of the run cache without content, of another user; DVC may fail at it")
                continue
            lines.append(f"{entry}: an entry of the run cache without content; removed")
    return lines


def without_unfinished(folder: Path) -> list[str]:
    """Removes copies into the cache that were cut off long ago; gives a line for each."""
    lines = []
    for path in folder.glob(UNFINISHED):
        try:
            about = path.stat()
            if time.time() - about.st_ctime < ABANDONED:  # not its mtime, which a file that is moved brings along
                continue
            path.unlink()
        except (FileNotFoundError, PermissionError):
            continue  # whole by now; or another user's, in a cache that is shared: that one's `make repro` removes it
        lines.append(f"{path}: an unfinished copy ({about.st_size / 1e6:.1f} MB); removed")
    return lines


if __name__ == "__main__":
    command.run(main)
