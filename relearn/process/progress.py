"""Progress of long work: a bar on a terminal, now and then a plain line elsewhere (logs, CI)."""

import sys
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 10.0


class Progress(tqdm):  # type: ignore[type-arg]
    """tqdm that prints whole lines, at most one in LINE_SECONDS, when standard error is no terminal."""

    def __init__(self, *args: Any, **options: Any) -> None:
        if not sys.stderr.isatty():
            options = {"mininterval": LINE_SECONDS, "ncols": 80, "ascii": True, **options}
        super().__init__(*args, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        if sys.stderr.isatty():
            super().display(msg, pos)
        elif msg != "" and self.n:  # tqdm wipes a bar by an empty message
            print(msg or str(self), file=sys.stderr, flush=True)

    def close(self) -> None:
        if not self.disable and not sys.stderr.isatty():
            if self.leave:
                self.display()
            self.leave = False  # tqdm would print the bar again, and an empty line
        super().close()
