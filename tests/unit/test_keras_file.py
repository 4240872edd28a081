import subprocess
import sys
import zipfile

import numpy as np
import pytest

from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from tests.conftest import ROOT
from tests.unit.test_nets import TINY


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
from stages.lib import keras_file, nets
from tests.unit.test_fit import SPEC
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
