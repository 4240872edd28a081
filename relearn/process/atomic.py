"""Files that are written whole or not at all."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def read_noted(path: Path) -> dict[str, Any]:
    """The JSON object of a file; an empty one where there is none, or half of one."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text)


def replaced(path: Path, markers: tuple[str, str], tables: str) -> str:
    """The text of a file with `tables` between two lines. ValueError without those lines."""
    before, start, rest = path.read_text().partition(markers[0])
    _, end, after = rest.partition(markers[1])
    if not (start and end):
        raise ValueError(f"{path} needs the lines {markers[0].strip()} and {markers[1].strip()} around its tables")
    return before + start + tables + end + after
