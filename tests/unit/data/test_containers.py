"""Hostile archives: each gets a clear error, in bounded time and memory. A guard that is taken out fails here."""

import gzip
import re
import struct
import tarfile
import zipfile

import pytest

from relearn.data import containers
from tests.conftest import in_one_gib


def block(of=0, kind=b"0", size=b""):
    """A tar header, 512 bytes, of a member of `of` bytes, or with any size field."""
    size = size or b"%011o\0" % of
    raw = b"a.png".ljust(100, b"\0") + b"0000644\0" * 3 + size + b"00000000000\0" + b" " * 8 + kind + bytes(355)
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


def tgz(path, *parts):
    """Writes parts of bytes and (bytes, times) packed by gzip: a part is packed once, since a .gz may have many members."""
    with path.open("wb") as stream:
        for part in parts:
            content, times = part if isinstance(part, tuple) else (part, 1)
            stream.write(gzip.compress(content) * times)


def pax_header(kind=b"x", **fields):
    """A header of keywords and values for the next member; `_` stands for a dot."""
    records = b""
    for name, value in fields.items():
        line = f" {name.replace('_', '.')}={value}\n"
        length = len(line) + len(str(len(line) + 3))
        records += f"{length}{line}".encode()
    return block(len(records), kind) + records.ljust(-(-len(records) // 512) * 512, b"\0")


ZEROS = bytes(2**20)
END = bytes(1024)
NEGATIVE = (-5120).to_bytes(12, "big", signed=True)
MANY = 1200  # times 20 MB are more than 1 GiB


def zipped(path, kind, content=b"", times=1, name="cat/a.png"):
    with zipfile.ZipFile(path, "w", kind, compresslevel=9) as archive, archive.open(name, "w") as stream:
        for _ in range(times):
            stream.write(content)


def relabelled(path, size):
    """A zip archive of 200 MB of zeros that says in both its directories that they are `size` bytes."""
    zipped(path, zipfile.ZIP_DEFLATED, ZEROS, 200)
    old, new = struct.pack("<I", 200 * 2**20), struct.pack("<I", size)
    path.write_bytes(path.read_bytes().replace(old, new))


def overlapping(path):
    """A zip archive of one packed file, 20 MB unpacked, of which its directory has MANY entries."""
    zipped(path, zipfile.ZIP_DEFLATED, ZEROS, 20)
    raw = path.read_bytes()
    start, size = (struct.unpack("<I", raw[-22 + at :][:4])[0] for at in (16, 12))
    entry = raw[start : start + size]
    ends = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, MANY, MANY, size * MANY, start, 0)
    path.write_bytes(raw[:start] + entry * MANY + ends)


ARCHIVES = {
    "a long name of 1 GB": ([block(kind=b"L", of=2**30 + 2**27), (ZEROS, 1200)], "header of more than 1,048,576 bytes"),
    "an extended header of 8 GB": ([block(kind=b"x", of=2**33 - 1), (ZEROS, 2)], "header of more than 1,048,576 bytes"),
    "a long name of negative size": ([block(kind=b"L", size=NEGATIVE), (ZEROS, 1200)], "header of more than"),
    "extended headers in a row": ([(pax_header(path="a"), 5000), END], "the archive is damaged|header of more than"),
    "global headers that add up": (
        [pax_header(b"g", **{f"k{n}": "v" * 10**5}) + block(of=0) for n in range(20)],
        "header of more than",
    ),
    "a sparse map without end": (
        [pax_header(GNU_sparse_major=1, GNU_sparse_minor=0), block(of=2**31), b"9" * 15 + b"\n", (b"1\n" * 2**19, 10)],
        "header of more than",
    ),
    "a member of negative size": ([block(size=NEGATIVE), END], "a member has a negative size"),
    "a member of negative size, by extension": ([pax_header(size=-5120), block(of=0), END], "a member has a negative size"),
    "a member of 1 TB": ([block(size=b"\x80" + (2**40).to_bytes(11, "big")), END], "unpacks to more than 1,073,741,824 bytes"),
    "zeros to be skipped": ([block(kind=b"Z", of=2**29), (ZEROS, 512), block(of=2**30)], "unpacks to more than"),
    "a path of 500,000 folders": ([pax_header(path="a/" * 500_000 + "b"), block(of=0), END], "or too long names"),
    "a cut": ([block(of=512), bytes(512)], "the archive is damaged .it ends too early"),
    "a file of 1 GB": ([block(of=2**30 - 1024), (ZEROS, 1024), END], "a.png: has more than 134,217,728 bytes"),
}
ZIPS = {
    "a zip of 200 MB": (lambda path: zipped(path, zipfile.ZIP_DEFLATED, ZEROS, 200), "has more than 134,217,728 bytes"),
    "a zip of files on top of each other": (
        overlapping,
        "(unpacks to more than 1,073,741,824 bytes|cannot be read: Overlapped entries)",
    ),  # by us or, newer, zipfile
    "a zip that says less than it holds": (lambda path: relabelled(path, 1000), "cat/a.png: cannot be read: Bad CRC-32"),
    "a zip that says more than it holds": (lambda path: relabelled(path, 2**29), "has more than 134,217,728 bytes"),
    "a zip packed by bzip2": (lambda path: zipped(path, zipfile.ZIP_BZIP2, ZEROS), "cat/a.png: is packed by method 12"),
    "a zip packed by LZMA": (lambda path: zipped(path, zipfile.ZIP_LZMA, ZEROS), "cat/a.png: is packed by method 14"),
    "a tar packed by xz": (lambda path: path.write_bytes(b"\xfd7zXZ\0" + bytes(99)), "is no folder, .tar, .tgz or .zip"),
}


def read_all(path):
    for entry in containers.entries(path):
        entry.read()


READ_ALL = "from relearn.data import containers\ndef read(path):\n    for entry in containers.entries(path): entry.read()"


@pytest.mark.parametrize("kind", [*ARCHIVES, *ZIPS])
def test_a_hostile_archive_is_refused(kind, tmp_path):
    if kind in ARCHIVES:
        parts, reason = ARCHIVES[kind]
        tgz(tmp_path / "album", *parts)
    else:
        write, reason = ZIPS[kind]
        write(tmp_path / "album")
    assert re.match(f"ValueError .*{reason}", in_one_gib(READ_ALL, tmp_path / "album"))


SMUGGLED = ["../out.png", "/absolute.png", "cat/../../out.png", "..", "cat/.hidden.png", "./../out.png"]
KINDS = {"a link": tarfile.SYMTYPE, "a hard link": tarfile.LNKTYPE, "a pipe": tarfile.FIFOTYPE, "a device": tarfile.CHRTYPE}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", SMUGGLED)
def test_a_path_that_leads_out_of_an_archive_is_passed_over(name, tmp_path):
    with tarfile.open(tmp_path / "album.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        archive.writestr(name, "x")
        archive.writestr(name.replace("/", "\\"), "x")
    for album, count in (("album.tar", 1), ("album.zip", 2)):
        assert [entry.kind for entry in containers.entries(tmp_path / album)] == ["other"] * count


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_in_an_archive_is_passed_over(kind, tmp_path):
    member = tarfile.TarInfo("cat/a.png")
    member.type, member.linkname = KINDS[kind], "/etc/passwd"
    with tarfile.open(tmp_path / "album", "w") as archive:
        archive.addfile(member)
    assert [entry.kind for entry in containers.entries(tmp_path / "album")] == ["other"]
