"""Files that are written whole or not at all."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "partial"  # in the name of a file that is not whole yet; .gitignore and .dvcignore know it


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path`, with its suffix, to write to; at the end of the block that file takes the place of `path`.

    When the block fails, the file is removed and `path` stays as it was. The folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{platform.node()}-{os.getpid()}.{MARK}{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)  # of a full disk it would keep the room
