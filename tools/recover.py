"""Mend what a kill of DVC leaves half done and DVC trips over, so that `dvc repro` goes on. `make repro` calls it first.

python -m tools.recover

Files that DVC writes in place, cut off (stages/lib/lockfile.py); entries of its run cache without content, at which it ends
with "join() argument must be str ... not 'NoneType'"; unfinished copies into its cache, which it neither reads nor removes.
"""

import subprocess
import sys
import time
from pathlib import Path

from relearn.process import lockfile
from tests.support import clones

UNFINISHED = "??/*.tmp"  # DVC copies into its cache under such a name, and renames what is whole
ABANDONED = 3600.0  # seconds without a write: no copy that goes on takes so long for its next block


def main() -> None:
    try:
        folder = cache()
        for line in [*lockfile.recover(), *without_empty_runs(folder / "runs"), *without_unfinished(folder / "files/md5")]:
            print(line, file=sys.stderr)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def cache() -> Path:
    """DVC's cache; several repositories may share one."""
    told = subprocess.run(["dvc", "cache", "dir"], env=clones.environment(), capture_output=True, text=True, check=False)
    if told.returncode:
        raise ValueError(told.stderr.strip())
    return Path(told.stdout.strip())


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
    """Removes what copies into the cache have left that were cut off long ago; gives a line for each."""
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
    main()
