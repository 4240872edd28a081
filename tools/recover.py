"""Mend the files that DVC writes in place and a kill has cut off, so that `dvc repro` goes on. `make repro` calls it first.

python -m tools.recover
"""

import sys
from pathlib import Path

from stages.lib import lockfile


def main() -> None:
    for path in lockfile.recover():
        print(f"{Path.cwd() / path}: was cut off by a kill; put back as it was before the last stage", file=sys.stderr)


if __name__ == "__main__":
    main()
