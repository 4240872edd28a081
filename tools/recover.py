"""Mend what a kill of DVC leaves half done and DVC trips over, so that `dvc repro` goes on. `make repro` calls it first.

python -m tools.recover

Files that DVC writes in place, cut off (stages/lib/lockfile.py); entries of its run cache without content, at which it ends
with "join() argument must be str ... not 'NoneType'".
"""

import subprocess
import sys
import time
from pathlib import Path

from stages.lib import lockfile
from tools.lib import clones


def main() -> None:
    try:
        for line in [*lockfile.recover(), *without_empty_runs(runs())]:
            print(line, file=sys.stderr)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def runs() -> Path:
    """DVC's run cache; several repositories may share one."""
    told = subprocess.run(["dvc", "cache", "dir"], env=clones.environment(), capture_output=True, text=True, check=False)
    if told.returncode:
        raise ValueError(told.stderr.strip())
    return Path(told.stdout.strip()) / "runs"


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


if __name__ == "__main__":
    main()
