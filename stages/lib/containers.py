"""What lies in a folder or in a tar or zip archive: every file's path in it, and its bytes when asked for.

Archives are read in memory, member by member, and never unpacked to disk. Links in them, absolute names,
names with `..` and what file managers leave behind are passed over, and counted.
"""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from lzma import LZMAError
from pathlib import Path
from typing import IO, Any, Literal

FILE_LIMIT = 128 * 2**20  # bytes of one file
TOTAL_LIMIT = 64 * 2**30  # bytes of all files, unpacked
COUNT_LIMIT = 1_000_000  # files
JUNK = {"thumbs.db", "desktop.ini", "__macosx", "@eadir"}  # as every name that starts with a dot
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError)


def _nothing() -> bytes:
    return b""


@dataclass(frozen=True)
class Entry:
    """A file or a folder and its path from the top, with /; or something that is passed over.

    `read` gives a file's bytes, as long as the iterator is at this entry; ValueError when it cannot.
    """

    kind: Literal["file", "folder", "other"]
    path: str = ""
    read: Callable[[], bytes] = _nothing


def entries(container: Path) -> Iterator[Entry]:
    """Everything in a folder or a zip archive (sorted), or in a tar archive (as stored), told apart by content.

    Raises ValueError naming the cure when it is none of them, when it is damaged, or holds too much.
    """
    if container.is_dir():
        yield from _of_folder(container, container, frozenset())
        return
    try:
        with container.open("rb") as stream:
            if tarfile.is_tarfile(stream):
                stream.seek(0)
                yield from _of_tar(container, stream)
            elif zipfile.is_zipfile(stream):
                yield from _of_zip(container, stream)
            else:
                raise ValueError(f"{container}: is no folder, tar or zip archive, or a damaged one: fetch it again")
    except DAMAGE as error:
        raise ValueError(f"{container}: the archive is damaged ({error}): fetch it again") from error


def _of_folder(top: Path, folder: Path, above: frozenset[Path]) -> Iterator[Entry]:
    """Links are followed, since the folder is the user's own, but not in circles."""
    real = folder.resolve()
    for path in sorted(folder.iterdir()) if real not in above else []:
        name = _safe(path.relative_to(top).as_posix())
        if name and path.is_dir():
            yield Entry("folder", name)
            yield from _of_folder(top, path, above | {real})
        else:
            yield Entry("file", name, partial(_bytes, name, path.open, "rb")) if name and path.is_file() else Entry("other")


def _of_tar(container: Path, stream: IO[bytes]) -> Iterator[Entry]:
    total = 0
    with tarfile.open(fileobj=stream) as archive:
        for count, member in enumerate(archive):
            total = _bounded(container, count, total + member.size)
            name = _safe(member.name)
            if name and member.isdir():
                yield Entry("folder", name)
            elif name and member.isreg():
                yield Entry("file", name, partial(_bytes, name, archive.extractfile, member))
            elif member.name != ".":
                yield Entry("other")
        packed: Any = archive.fileobj
        packed.seek(archive.offset)
        if packed.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:  # tarfile takes a cut between members for the end
            raise tarfile.ReadError("it ends too early")


def _of_zip(container: Path, stream: IO[bytes]) -> Iterator[Entry]:
    total = 0
    with zipfile.ZipFile(stream) as archive:
        for count, info in enumerate(sorted(archive.infolist(), key=lambda info: info.filename)):
            total = _bounded(container, count, total + info.file_size)
            name = _safe(info.filename.replace("\\", "/"))
            if name and info.is_dir():
                yield Entry("folder", name)
            elif name and not stat.S_ISLNK(info.external_attr >> 16):
                yield Entry("file", name, partial(_bytes, name, archive.open, info))
            else:
                yield Entry("other")


def _safe(name: str) -> str | None:
    """`name` without its `.` parts; None when it leads out of the container or is no file of a person's."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or name.startswith("/") or any(part.startswith(".") or part.lower() in JUNK for part in parts):
        return None
    return "/".join(parts)


def _bounded(container: Path, count: int, total: int) -> int:
    if count >= COUNT_LIMIT or total > TOTAL_LIMIT:
        raise ValueError(f"{container}: holds more than {COUNT_LIMIT} files or {TOTAL_LIMIT >> 30} GB: split it up")
    return total


def _bytes(name: str, opener: Callable[..., Any], *arguments: Any) -> bytes:
    """All bytes of the file `name`, at most FILE_LIMIT."""
    try:
        with opener(*arguments) as stream:
            content = bytes(stream.read(FILE_LIMIT + 1))
    except (*DAMAGE, RuntimeError, NotImplementedError) as error:  # the last two: encrypted, or packed in an unknown way
        raise ValueError(f"{name}: cannot be read: {error}") from error
    if len(content) > FILE_LIMIT:
        raise ValueError(f"{name}: is larger than {FILE_LIMIT >> 20} MB")
    return content
