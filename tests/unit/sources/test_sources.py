"""Sources against a local server that serves, breaks off, fails and lies."""

import gzip
import hashlib
import http.server
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from relearn.data import places
from relearn.params.data import Download
from relearn.sources import sources

NAMES = {
    "train-images-idx3-ubyte.gz": "train_images",
    "train-labels-idx1-ubyte.gz": "train_labels",
    "t10k-images-idx3-ubyte.gz": "test_images",
    "t10k-labels-idx1-ubyte.gz": "test_labels",
}


def idx(array: np.ndarray) -> bytes:
    """An IDX file of bytes, gzipped, as MNIST's home page has them."""
    flat = array.squeeze(-1) if array.ndim == 4 else array
    header = struct.pack(f">HBB{flat.ndim}I", 0, 8, flat.ndim, *flat.shape)
    return gzip.compress(header + flat.tobytes(), 1, mtime=0)


class Server:
    """Serves `files` under /; `status` and `cut` make it fail or break off in the middle."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.status, self.cut, self.asked = 200, 0, 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                body = outer.files.get(self.path.rpartition("/")[2], b"")
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) - outer.cut])

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/data"


@pytest.fixture
def servers():
    both = Server(), Server()
    yield both
    for server in both:
        server.http.shutdown()
        server.http.server_close()


@pytest.fixture
def tiny(tmp_path, monkeypatch, servers):
    """A four-image data set that both servers have, and its block of parameters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATASETS_DIR", raising=False)
    random = np.random.default_rng(0)
    arrays = {
        "train_images": random.integers(0, 256, (4, 28, 28, 1), np.uint8),
        "train_labels": np.array([1, 0, 1, 0], np.uint8),
        "test_images": random.integers(0, 256, (2, 28, 28, 1), np.uint8),
        "test_labels": np.array([0, 1], np.uint8),
    }
    files = {name: idx(arrays[key]) for name, key in NAMES.items()}
    for server in servers:
        server.files = dict(files)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    spec = Download.model_validate({
        "classes": ["0", "1"], "image_shape": [28, 28, 1], "train_images": 4, "test_images": 2,
        "sources": [{"reader": "mnist_idx", "url": server.url, "files": digests} for server in servers],
        "arrays": {key: hashlib.sha256(array.tobytes()).hexdigest() for key, array in arrays.items()},
    })  # fmt: skip
    return spec, arrays, files


def cached() -> list[str]:
    return sorted(path.name for path in Path(".cache/downloads").glob("*"))


def test_the_first_source_serves_and_the_cache_serves_next_time(tiny, servers):
    spec, arrays, _ = tiny
    got = sources.arrays("tiny", spec)
    assert all(np.array_equal(got[name], arrays[name]) for name in arrays)
    assert (servers[0].asked, servers[1].asked) == (4, 0)
    sources.arrays("tiny", spec)
    assert servers[0].asked == 4


def test_a_folder_of_the_users_comes_first(tiny, servers, tmp_path, monkeypatch):
    spec, arrays, files = tiny
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("DATASETS_DIR", str(folder))
    got = sources.arrays("tiny", spec)
    assert np.array_equal(got["test_images"], arrays["test_images"])
    assert servers[0].asked == 0


def test_a_wrong_file_in_the_users_folder_is_told_and_not_used(tiny, servers, tmp_path, monkeypatch, capsys):
    spec, _, files = tiny
    for name in files:
        (tmp_path / name).write_bytes(b"something else")
    monkeypatch.setenv("DATASETS_DIR", str(tmp_path))
    sources.arrays("tiny", spec)
    assert "SHA-256 is not the one in params.yaml, not used" in capsys.readouterr().out
    assert servers[0].asked == 4


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"status": 503}, "503 Server Error"),
        ({"cut": 10}, "failed"),
        ({"files": dict.fromkeys(NAMES, b"not the file")}, "expected"),
    ],
    ids=["server error", "truncated", "wrong checksum"],
)
def test_a_failing_source_is_told_and_the_next_is_tried(tiny, servers, fault, told, capsys):
    spec, arrays, files = tiny
    for name, value in fault.items():
        setattr(servers[0], name, value)
    got = sources.arrays("tiny", spec)
    log = capsys.readouterr().out
    assert np.array_equal(got["train_images"], arrays["train_images"])
    assert servers[0].url in log
    assert told in log
    assert "trying the next source" in log
    assert servers[1].asked == 4
    assert cached() == sorted(files)


def test_when_every_source_fails_one_error_names_the_three_ways(tiny, servers):
    spec, _, files = tiny
    servers[0].status, servers[1].cut = 500, 5
    with pytest.raises(sources.SourceError) as error:
        sources.arrays("tiny", spec)
    message = str(error.value)
    assert "no source could serve tiny" in message
    assert all(server.url in message for server in servers)
    assert all(name in message for name in files)
    assert "DATASETS_DIR" in message
    assert ".cache/downloads" in message
    assert "params.yaml, download.tiny.sources" in message
    assert cached() == []


def test_whole_files_of_other_content_are_refused_by_the_arrays_checksum(tiny):
    spec, _, _ = tiny
    changed = spec.model_copy(update={"arrays": {**spec.arrays, "test_labels": "0" * 64}})
    with pytest.raises(sources.SourceError, match="test_labels: SHA-256 of the array is"):
        sources.arrays("tiny", changed)


@pytest.mark.parametrize(("client", "package"), [("npm", "some-images@1.0.0"), ("pip", "some-images==1.0.0")])
def test_a_package_is_asked_for_by_name_and_its_failure_is_told(tiny, tmp_path, monkeypatch, capsys, client, package):
    """A stand-in for the client notes what it is asked, and fails; the url behind it serves."""
    spec, _, _ = tiny
    stand_in = tmp_path / "bin" / client
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho "error 404" >&2\nexit 1\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("sys.executable", str(stand_in))
    both = spec.model_dump(exclude_none=True)
    broken = {"reader": "cifar10_png", client: package, "files": {"some-images-1.0.0.tgz": "0" * 64}}
    both["sources"] = [broken, both["sources"][1]]
    sources.arrays("tiny", Download.model_validate(both))
    told = capsys.readouterr().out
    assert f"{package} failed: " in told
    assert "ended with 1: error 404" in told
    asked = (tmp_path / "asked").read_text().split()
    assert package in asked
    assert {"pack", "download"} & set(asked)


def test_a_file_that_its_reader_cannot_read_leads_to_the_next_source(tiny, servers):
    spec, arrays, _ = tiny
    both = spec.model_dump(exclude_none=True)
    both["sources"][0]["reader"] = "cifar10_binary"
    got = sources.arrays("tiny", Download.model_validate(both))
    assert np.array_equal(got["train_labels"], arrays["train_labels"])


def test_arrays_of_another_shape_than_the_parameters_say_are_refused(tiny):
    spec, _, _ = tiny
    with pytest.raises(sources.SourceError, match=r"test_images: has shape \(2, 28, 28, 1\), params.yaml says \(3,"):
        sources.arrays("tiny", spec.model_copy(update={"test_images": 3}))


def test_a_place_that_cannot_be_written_is_a_clear_error(tiny, monkeypatch):
    spec, _, _ = tiny
    Path("file").write_text("in the way")
    monkeypatch.setattr(places, "downloads", lambda: Path("file/downloads"))
    with pytest.raises(sources.SourceError, match="file/downloads"):
        sources.arrays("tiny", spec)
