import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from relearn.data.arrays import Split
from relearn.networks import nets
from relearn.networks.engine import keras, tf
from relearn.params.training import Fit
from relearn.training import fit
from tests.conftest import ROOT
from tests.unit.data.test_arrays import Attack, npz

TRAINING = """
import hashlib, json, sys, time
from pathlib import Path
from typing import Any
from relearn.networks import nets
from relearn.params.base import Compute
from relearn.params.training import Augmentation, Optimizer, Schedule
from relearn.training import compute, fit
from tests.unit.training.test_fit import NET, SPEC, small_split
compute.configure(Compute(precision="float32", threads=1, jobs=1))
pause = float(sys.argv[2])
keep = fit._keep
fit._keep = lambda *arguments: (keep(*arguments), time.sleep(pause))
model = nets.build(NET, (8, 8, 3), 3, seed=7)
changes = Augmentation(rotation_degrees=20, shift=0.1, zoom=0.1, mirror_in_turn=True, crop_padding=1)
optimizer = Optimizer(name="sgd", learning_rate=0.05, momentum=0.9, nesterov=True, weight_decay=0.001, norm_shift_rate=8.0,
                      schedule=Schedule(start=0.2, peak=0.4))
spec = SPEC.model_copy(update={"optimizer": optimizer, "augmentation": changes, "label_smoothing": 0.1})
trained = nets.trainer(model, spec, 70)
history = fit.run(trained, small_split(), small_split(20), spec, 7, Path(sys.argv[1]), "small")
digest = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()
print("RESULT" + json.dumps([digest, history.to_dict("list")]))
"""
NET = "C4 P2 BNc D.25 flatten F16 D.5"
SPEC = Fit.model_validate({
    "images": "x", "labels": "x", "net": "x", "optimizer": {"name": "adadelta", "learning_rate": 1.0},
    "batch": 16, "epochs": 4, "validation": 20,
})  # fmt: skip


def small_split(n: int = 70) -> Split:
    random = np.random.default_rng(n)
    labels = random.integers(0, 3, n).astype(np.uint8)
    images = random.integers(0, 80, (n, 8, 8, 3), np.uint8) + (80 * labels)[:, None, None, None]
    return Split(images.astype(np.uint8), np.arange(n), labels, labels)


def start(state: Path, pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TRAINING, str(state), str(pause)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)


def result(process: subprocess.Popen[str]) -> tuple[str, Any]:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    line = next(line for line in out.splitlines() if line.startswith("RESULT"))
    return out, json.loads(line.removeprefix("RESULT"))


def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(tmp_path):
    whole = start(tmp_path / "whole", 0)
    killed = start(tmp_path / "cut", 0.7)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        kept = tmp_path / "cut" / "epoch.npz"
        if kept.exists() and len(json.loads(str(np.load(kept)["history"]))) == 2:
            break
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    log, resumed = result(start(tmp_path / "cut", 0))
    assert "small: resumed after epoch 2 of 4" in log
    assert resumed == result(whole)[1]
    assert resumed[1]["epoch"] == [1, 2, 3, 4]


def trained(seed=7, epochs=4, where=Path("nowhere"), curve=None):
    model = nets.build(NET, (8, 8, 3), 3, seed=seed)
    nets.compile_for(model, SPEC, 70)
    spec = SPEC.model_copy(update={"epochs": epochs})
    return model, fit.run(model, small_split(), small_split(20), spec, seed, where, "small", curve)


def test_an_epochs_order_is_a_permutation_of_its_own():
    batches = fit.Batches(small_split(), 16, seed=3)
    orders = []
    for epoch in (0, 1, 1):
        batches.start_epoch(epoch)
        orders.append(batches.order.copy())
        assert sorted(batches.order) == list(range(70))
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[1], orders[2])
    assert [len(images) for images, _ in batches] == [16, 16, 16, 16, 6]
    assert len(batches) == 5


def test_of_several_copies_an_epoch_takes_one_in_turn():
    split = dataclasses.replace(small_split(60), copies=3)
    batches = fit.Batches(split, 16, seed=3)
    seen = []
    for epoch in range(4):
        batches.start_epoch(epoch)
        seen.append(sorted(batches.order))
    assert seen[0] == list(range(20))
    assert seen[1] == list(range(20, 40))
    assert seen[2] == list(range(40, 60))
    assert seen[3] == seen[0]
    assert len(batches) == 2


def test_tensorboard_gets_every_epoch_once_also_after_a_kill(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fit, "LOGS", tmp_path / "logs")
    for epochs in (2, 3):  # the second goes on after the first's two
        model = nets.build(NET, (8, 8, 3), 3, seed=7)
        nets.compile_for(model, SPEC, 70)
        spec = SPEC.model_copy(update={"epochs": epochs, "tensorboard": True})
        history = fit.run(model, small_split(), small_split(20), spec, 7, tmp_path / "state", "small")
    events = EventAccumulator(str(tmp_path / "logs/small"), {"tensors": 0}).Reload()
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(events.Tags()["tensors"])
    logged = events.Tensors("loss")
    assert [event.step for event in logged] == [1, 2, 3]
    assert [float(tf.make_ndarray(event.tensor_proto)) for event in logged] == pytest.approx(history["loss"].tolist())


def test_the_curve_on_disk_grows_after_each_epoch_and_is_whole_again_after_a_resume(tmp_path, monkeypatch):
    curve = tmp_path / "plots/history/small.csv"
    seen = []
    reset = fit.reset_random_layers

    def epoch_begins(*arguments):
        seen.append(list(pd.read_csv(curve)["epoch"]) if curve.is_file() else [])
        reset(*arguments)

    monkeypatch.setattr(fit, "reset_random_layers", epoch_begins)
    _, history = trained(where=tmp_path / "state", curve=curve)
    assert seen == [[], [1], [1, 2], [1, 2, 3]]
    assert np.allclose(pd.read_csv(curve)[history.columns], history)
    written = curve.read_bytes()
    curve.unlink()  # as DVC does with an output, before it runs a stage again
    trained(where=tmp_path / "state", curve=curve)
    assert curve.read_bytes() == written
    assert [path.name for path in curve.parent.iterdir()] == ["small.csv"]


def test_images_and_labels_stay_together():
    split = small_split()
    images, labels = list(fit.Batches(split, 16, seed=3))[2]
    for image, label in zip(images, labels, strict=True):
        assert image.mean() // 80 == label


def test_dropout_draws_anew_in_every_epoch_and_layer():
    model = nets.build(NET, (8, 8, 3), 3, seed=1)
    seen = []
    for epoch in (0, 1):
        fit.reset_random_layers(model, 5, epoch)
        seen += [tuple(np.asarray(v)) for v in model.variables if v.path.endswith("seed_generator_state")]
    assert len(seen) == 4
    assert len(set(seen)) == 4


def test_what_was_built_before_in_the_process_changes_nothing(tmp_path):
    first, _ = trained(epochs=1, where=tmp_path / "a")
    nets.build(NET, (8, 8, 3), 3, seed=99)
    second, _ = trained(epochs=1, where=tmp_path / "b")
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def test_a_training_learns_and_tells_each_epoch(tmp_path, capsys):
    model, history = trained(where=tmp_path, epochs=8)
    assert list(history["epoch"]) == list(range(1, 9))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert np.allclose(history["val_error"], 1 - history["val_accuracy"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("small: epoch")]
    assert len(lines) == 8
    assert lines[2].startswith("small: epoch 3/8  loss ")
    probabilities = fit.predict(model, small_split())
    assert probabilities.shape == (70, 3)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)


def test_a_loss_that_is_no_number_stops_the_stage(tmp_path):
    model = nets.build(NET, (8, 8, 3), 3, seed=1)
    nets.compile_for(model, SPEC, 70)
    weights = model.get_weights()
    weights[-1][:] = np.nan
    model.set_weights(weights)
    with pytest.raises(FloatingPointError, match=r"small: the loss is nan in epoch 1; a smaller optimizer.learning_rate"):
        fit.run(model, small_split(), small_split(20), SPEC, 1, tmp_path, "small")
    assert not (tmp_path / "epoch.npz").exists()


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
