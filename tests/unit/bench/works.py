"""Work that processes do in tests of bench; they start sooner without what the tests import."""

import os
import time
from pathlib import Path

from bench.lib import trials


def first(path: str) -> int:
    return os.getpid() if path else 0


def counting(path: str, name: str) -> trials.Work:
    """Work that writes its name, and how often this process has done it, to a file."""
    done = []

    def work() -> None:
        done.append(name)
        with open(path, "a") as stream:  # noqa: PTH123
            stream.write(f"{name}{len(done)} ")

    return work


def failing() -> trials.Work:
    raise ValueError("cannot be prepared")


def meeting(path: str) -> trials.Work:
    """Work that ends when two processes with the same TOGETHER in their environment do it at the same time; it says its name."""

    def work() -> None:
        place = Path(path) / os.environ["TOGETHER"]
        place.mkdir(exist_ok=True)
        (place / str(os.getpid())).touch()
        while len(list(place.iterdir())) < 2:
            time.sleep(0.01)

    return work
