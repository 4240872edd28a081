"""What lies in a folder or in a tar or zip archive: every file's path in it, and its bytes when asked for.

Archives are read in memory, member by member, and never unpacked to disk. Links in them, absolute names,
names with `..` and what file managers leave behind are passed over, and counted.
"""

import gzip
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, cast

FILE_LIMIT = 128 * 2**20  # bytes of one file
TOTAL_LIMIT = 64 * 2**30  # bytes of all files, unpacked
SMALL, SMALL_ZIP = 2**30, 2**26  # bytes of an album, of another library's archive: what unpacks to more than that
EXPANSION = 100  # may do so to at most so many times its own size
COUNT_LIMIT = 1_000_000  # files
HEADER_LIMIT = 2**20  # bytes before a member of a tar archive, long names and other extensions included
NAMES_LIMIT = 2**30  # letters of all paths and of the folders above them
JUNK = {"thumbs.db", "desktop.ini", "__macosx", "@eadir"}  # as every name that starts with a dot
GZIP, ZIP = b"\x1f\x8b", (b"PK\3\4", b"PK\5\6")  # what such files start with
ZIP_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of the others zipfile unpacks any amount at once
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RecursionError)


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
            start = stream.read(4)
            stream.seek(0)
            yield from _of_zip(container, stream) if start in ZIP else _of_tar(container, stream)
    except DAMAGE as error:
        raise ValueError(f"{container}: the archive is damaged ({error}): fetch it again") from error


def bounded(stream: IO[bytes] | gzip.GzipFile, name: str, limit: int) -> bytes:
    """All that is left of `stream`, called `name` in errors. ValueError when it is more than `limit` bytes."""
    content = bytes(stream.read(limit + 1))
    if len(content) > limit:
        raise ValueError(f"{name}: has more than {limit:,} bytes")
    return content


def tar_members(stream: IO[bytes], name: str) -> Iterator[tuple[tarfile.TarInfo, Callable[[], IO[bytes]]]]:
    """Each member of a .tar or .tgz, with what opens it, as long as the iterator is at it; memory holds one header.

    Raises ValueError when it is neither, or has a header of more than HEADER_LIMIT bytes, as tarfile would read it whole.
    """
    unpacked: Any = gzip.GzipFile(fileobj=stream) if stream.read(2) == GZIP else stream
    stream.seek(0)
    metered = _Metered(unpacked, name)
    try:
        archive = tarfile.open(fileobj=metered, mode="r:")  # type: ignore[call-overload]  # noqa: SIM115
    except tarfile.ReadError as error:
        raise ValueError(f"{name}: is no folder, .tar, .tgz or .zip, or a damaged one: fetch it again") from error
    while (member := archive.next()) is not None:
        if member.size < 0:  # tarfile would go round in circles
            raise tarfile.ReadError("a member has a negative size")
        if sum(len(key) + len(value) for key, value in archive.pax_headers.items()) > HEADER_LIMIT:  # they add up
            raise metered.refused()
        yield member, partial(metered.opened, archive, member)
        archive.members.clear()
        metered.left = HEADER_LIMIT
    unpacked.seek(archive.offset)
    if unpacked.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:  # tarfile takes a cut between members for the end
        raise tarfile.ReadError("it ends too early")


def check_zip(path: Path) -> None:
    """Raises ValueError when a zip archive that another library will read unpacks to too much, or is packed in a rare way."""
    most = max(SMALL_ZIP, EXPANSION * path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            zip_member(archive, info).close()
        unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > most:
        raise ValueError(f"unpacks to {unpacked:,} bytes, more than {most:,}")


def zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """A member's bytes as a stream that unpacks no more than is asked of it. ValueError when it is packed in a rare way."""
    if info.compress_type not in ZIP_KINDS:
        raise ValueError(f"{info.filename}: is packed by method {info.compress_type}: pack it by deflate")
    return archive.open(info)


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
    sizes = _Sizes(container)
    for member, opened in tar_members(stream, str(container)):
        sizes.add(member.name, member.size)
        name = _safe(member.name)
        if name and member.isdir():
            yield Entry("folder", name)
        elif name and member.isreg() and not member.issparse():
            yield Entry("file", name, partial(_bytes, name, opened))
        elif member.name != ".":
            yield Entry("other")


def _of_zip(container: Path, stream: IO[bytes]) -> Iterator[Entry]:
    sizes = _Sizes(container)
    with zipfile.ZipFile(stream) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            sizes.add(info.filename, info.file_size)
            name = _safe(info.filename.replace("\\", "/"))
            if name and info.is_dir():
                yield Entry("folder", name)
            elif name and not stat.S_ISLNK(info.external_attr >> 16):
                yield Entry("file", name, partial(_bytes, name, zip_member, archive, info))
            else:
                yield Entry("other")


def _safe(name: str) -> str | None:
    """`name` without its `.` parts; None when it leads out of the container or is no file of a person's."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or name.startswith("/") or any(part.startswith(".") or part.lower() in JUNK for part in parts):
        return None
    return "/".join(parts)


@dataclass
class _Metered:
    """A tar archive's stream, of which tarfile may read only HEADER_LIMIT bytes between two members."""

    stream: IO[bytes]
    name: str
    left: int = HEADER_LIMIT

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.left:
            raise self.refused()
        self.left -= size
        return self.stream.read(size)

    def refused(self) -> ValueError:
        return ValueError(f"{self.name}: has a header of more than {HEADER_LIMIT:,} bytes: pack it anew")

    def seek(self, place: int) -> int:
        return self.stream.seek(place)

    def tell(self) -> int:
        return self.stream.tell()

    def seekable(self) -> bool:
        return True

    def opened(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
        self.left = sys.maxsize  # whoever reads has limits of their own
        return cast(IO[bytes], archive.extractfile(member))


class _Sizes:
    """What an archive says that it holds, added up before it is unpacked or skipped."""

    def __init__(self, container: Path) -> None:
        self.container = container
        self.files = self.content = self.names = 0
        self.limit = min(TOTAL_LIMIT, max(SMALL, EXPANSION * container.stat().st_size))

    def add(self, name: str, size: int) -> None:
        self.files += 1
        self.content += size
        self.names += len(name) * (1 + name.count("/"))
        if self.content > self.limit:
            raise ValueError(f"{self.container}: unpacks to more than {self.limit:,} bytes: split it up")
        if self.files > COUNT_LIMIT or self.names > NAMES_LIMIT:
            raise ValueError(f"{self.container}: holds more than {COUNT_LIMIT:,} files, or too long names: split it up")


def _bytes(name: str, opener: Callable[..., Any], *arguments: Any) -> bytes:
    """All bytes of the file `name`, at most FILE_LIMIT."""
    try:
        with opener(*arguments) as stream:
            return bounded(stream, name, FILE_LIMIT)
    except (*DAMAGE, RuntimeError, NotImplementedError) as error:  # the last two: encrypted, or packed in an unknown way
        raise ValueError(f"{name}: cannot be read: {error}") from error
