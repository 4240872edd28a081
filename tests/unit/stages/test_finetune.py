import json
import math
from pathlib import Path

import pandas as pd
import pytest

from relearn import checks
from relearn.training import compute
from stages import finetune

MACHINE = {"precision": "float32", "threads": 1, "kernels": "x"}


def rows(*accuracies):
    """What the repeats give, made up."""
    return [({"repeat": repeat, "seed": 100 + repeat, "accuracy_before": 0.25, "accuracy": accuracy, "loss": 0.5,
              "trainable_parameters": 7}, MACHINE) for repeat, accuracy in enumerate(accuracies, 1)]  # fmt: skip


@pytest.fixture
def repeated(params_with, tmp_path, monkeypatch):
    """Runs the stage with made-up accuracies of its repeats; gives its metrics and its table."""

    def run(key, *accuracies):
        settings = params_with({"scale": "smoke"})
        jobs = []

        def fan_out(spec, function, todo, label):
            jobs.extend(todo)
            return rows(*accuracies)

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(checks, "load", lambda: settings)
        monkeypatch.setattr(compute, "fan_out", fan_out)
        finetune.main(key)
        table = pd.read_csv(f"plots/finetune/{key}.csv")
        return json.loads(Path(f"metrics/finetune/{key}.json").read_text()), table, jobs

    return run


@pytest.mark.parametrize(("key", "repeats"), [("scratch_shallow", 2), ("freeze_none", 1)])
def test_a_block_of_repeat_or_of_finetune_is_trained_as_often_as_it_says(repeated, key, repeats):
    metrics, table, jobs = repeated(key, 0.5, 0.75)
    assert jobs == [(repeat,) for repeat in range(repeats)]
    assert table["accuracy"].tolist() == [0.5, 0.75]
    assert metrics["repeats"] == repeats


def test_mean_and_standard_error_of_the_repeats_by_hand(repeated):
    metrics, _, _ = repeated("scratch_shallow", 0.1, 0.2, 0.3)
    assert metrics["accuracy"] == pytest.approx(0.2)
    assert metrics["standard_error"] == pytest.approx(0.1 / math.sqrt(3), abs=1e-6)
    assert (metrics["accuracy_before"], metrics["trainable_parameters"], metrics["precision"]) == (0.25, 7, "float32")


def test_a_single_repeat_has_no_standard_error(repeated):
    assert repeated("freeze_none", 0.5)[0]["standard_error"] is None
