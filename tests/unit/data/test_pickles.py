"""Hostile pickles, as each of their readers gets them."""

import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path

import pytest

from relearn.backbones import torch_file
from relearn.sources import archives
from tests.unit.backbones.test_torch_file import HEADER


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
