"""One training over two devices: the promises of one device, tried on two logical CPUs in a process of their own."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from relearn.params.base import Compute
from relearn.training import compute
from tests.conftest import ROOT

CHILD = """
import hashlib, json, sys
from pathlib import Path

import numpy as np

from relearn.data.arrays import Split
from relearn.networks import keras_file, nets
from relearn.networks.engine import tf
from relearn.params.base import Compute
from relearn.params.training import Optimizer, Phase
from relearn.training import compute, fit

[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
drawn = np.random.default_rng(1)
labels = drawn.integers(0, 4, 64, "uint8")
images = drawn.integers(0, 128, (64, 8, 8, 3), "uint8") + 20 * labels[:, None, None, None]
split = Split(images, np.arange(64), labels, labels)


def trained(net, strategy, epochs, state):
    spec = Compute(precision="float32", threads=2, jobs=1, strategy=strategy)
    compute.configure(spec)
    scope, spread = compute.scope(spec)
    with scope:
        model = nets.build(net, (8, 8, 3), 4, seed=5)
        optimizer = Optimizer(name="sgd", learning_rate=0.05, momentum=0.9, nesterov=True, norm_shift_rate=8.0)
        phase = Phase(optimizer=optimizer, batch=16, epochs=epochs)
        compiled = nets.trainer(model, phase, 64)
        history = fit.run(compiled, split, split.part(slice(0, 20)), phase, 5, Path(state), state)
    keras_file.save(model, path := Path(f"{state}.keras"))
    weights = np.concatenate([weight.ravel() for weight in keras_file.load(path).get_weights()])
    file = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"file": file, "weights": weights.tolist(), "loss": history["val_loss"].tolist(), **spread}
"""
DROPOUT = "C4 BN P2 D.2 flatten F8"


def ran(folder, **calls: str) -> dict[str, Any]:
    """What the trainings give, one after the other in one process."""
    lines = [f"results[{name!r}] = trained({call})" for name, call in calls.items()]
    script = "\n".join([CHILD, "results = {}", *lines, "Path('results.json').write_text(json.dumps(results))"])
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return {**json.loads((folder / "results.json").read_text()), "printed": done.stdout}


def test_two_devices_learn_what_one_learns(tmp_path):
    net = "C4 P2 flatten F8"
    results = ran(tmp_path, one=f"{net!r}, 'none', 2, 'one'", two=f"{net!r}, 'mirrored', 2, 'two'")
    assert results["two"]["replicas"] == 2
    assert "replicas" not in results["one"]
    assert results["two"]["loss"] == pytest.approx(results["one"]["loss"], rel=1e-4)
    assert results["two"]["weights"] == pytest.approx(results["one"]["weights"], abs=1e-4)


def test_a_training_on_two_devices_that_was_interrupted_ends_with_the_same_bytes(tmp_path):
    whole, first = f"{DROPOUT!r}, 'mirrored', 2, 'whole'", f"{DROPOUT!r}, 'mirrored', 1, 'cut'"
    results = ran(tmp_path, whole=whole, first=first, cut=f"{DROPOUT!r}, 'mirrored', 2, 'cut'")
    assert "resumed after epoch 1 of 2" in results["printed"]
    assert results["cut"] == results["whole"]
    assert results["first"]["file"] != results["whole"]["file"]


def test_one_device_is_too_few():
    spec = Compute(precision="float32", threads=1, jobs=1, strategy="mirrored")
    with pytest.raises(ValueError, match=r"'mirrored' needs two devices or more, here is /device:.*: set it to none"):
        compute.scope(spec)


@pytest.mark.parametrize(("images", "batch", "replicas", "fits"), [
    (128, 16, 2, True), (124, 16, 2, True), (123, 16, 2, False), (113, 16, 2, False), (90, 15, 2, False), (123, 16, 1, True),
])  # fmt: skip
def test_batches_that_cannot_be_split_evenly_are_told(images, batch, replicas, fits):
    if fits:
        compute.split_evenly(images, batch, replicas)
    else:
        with pytest.raises(ValueError, match="cannot be split evenly over 2 devices"):
            compute.split_evenly(images, batch, replicas)
