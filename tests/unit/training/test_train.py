"""The one way to train: it gives a history and a state, and resumes where it was interrupted."""

import numpy as np
import pytest

from relearn.networks import nets
from relearn.training import fit
from relearn.training.train import train
from tests.unit.training.test_fit import NET, SPEC, small_split

SPLITS = (small_split(), small_split(20))
MACHINE = {"precision": "float32", "threads": 1, "kernels": "x"}


def fresh():
    return nets.build(NET, (8, 8, 3), 3, seed=7)


def test_an_interrupted_training_ends_with_the_weights_and_the_history_of_a_whole_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    whole = fresh()
    history = train(whole, SPEC, SPLITS, 5, MACHINE, "train-whole").history
    keep = fit._keep

    def interrupted(model, rows, state):
        keep(model, rows, state)
        if len(rows) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(fit, "_keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(fresh(), SPEC, SPLITS, 5, MACHINE, "train-a", "small net")
    monkeypatch.setattr(fit, "_keep", keep)
    resumed = fresh()
    training = train(resumed, SPEC, SPLITS, 5, MACHINE, "train-a", "small net")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("train-whole: epoch 1/4")
    assert "small net: resumed after epoch 2 of 4" in lines
    assert training.history.equals(history)
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True))
    assert training.last == {name: history[name].iloc[-1] for name in history.columns if name != "epoch"}
    assert training.state.parent.name == ".state"
    assert training.state.name.startswith("train-a-")
    assert (training.state / "epoch.npz").is_file()


def test_a_training_without_images_for_curves_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nothing = small_split().part(slice(0, 0))
    training = train(fresh(), SPEC.model_copy(update={"epochs": 1}), (small_split(), nothing), 5, MACHINE, "train-a")
    assert set(training.last) == {"loss", "accuracy"}
