import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from tests.conftest import ROOT
from tests.unit.networks.test_nets import TINY


def test_a_saved_network_is_the_same_bytes_and_the_same_network(tmp_path):
    model = nets.build(TINY, (8, 8, 3), 3, seed=1)
    keras_file.save(model, tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert {info.date_time for info in archive.infolist()} == {keras_file.EPOCH_ZERO}
        assert b"date_saved" not in archive.read("metadata.json")
    again = nets.build(TINY, (8, 8, 3), 3, seed=1)
    keras_file.save(again, tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    assert np.array_equal(keras_file.load(tmp_path / "a.keras").predict_on_batch(images), model.predict_on_batch(images))


SAVING = """
import sys
from pathlib import Path
from relearn.networks import keras_file, nets
from tests.unit.training.test_fit import SPEC
ballast = [object() for _ in range(int(sys.argv[2]))]
model = nets.build("C4 P2 D.25 flatten F6 D.5", (8, 8, 3), 3, seed=1)
nets.compile_for(model, SPEC, 8)
keras_file.save(model, Path(sys.argv[1]))
"""


def test_two_processes_save_a_trained_network_as_the_same_bytes(tmp_path):
    """Keras writes memory addresses, which differ between processes, into config.json."""
    for number, name in enumerate(("a", "b")):
        path = str(tmp_path / f"{name}.keras")
        subprocess.run([sys.executable, "-c", SAVING, path, str(100_000 * number)], cwd=ROOT, check=True)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert b"optimizer" not in archive.read("model.weights.h5")


def test_a_keras_file_that_carries_code_is_refused(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + 1)]).save(tmp_path / "code.keras")
    with pytest.raises(ValueError, match=r"unsafe|safe_mode|lambda"):
        keras_file.load(tmp_path / "code.keras")


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
