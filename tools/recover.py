"""Mend the files that DVC writes in place and a kill has cut off, so that `dvc repro` goes on. `make repro` calls it first.

python -m tools.recover
"""

import sys

from stages.lib import lockfile


def main() -> None:
    try:
        for line in lockfile.recover():
            print(line, file=sys.stderr)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
