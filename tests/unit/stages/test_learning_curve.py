import json
import math
from pathlib import Path

import pandas as pd
import pytest

from relearn import checks
from relearn.training import compute
from stages import learning_curve

MACHINE = {"precision": "float32", "threads": 1, "kernels": "x"}


def test_mean_and_standard_error_of_each_number_of_images_by_hand(params_with, tmp_path, monkeypatch):
    settings = params_with({"scale": "smoke"})  # counts 64 and 32, two repeats
    jobs = []
    accuracies = {(64, 0): 0.5, (64, 1): 0.7, (32, 0): 0.25, (32, 1): 0.35}

    def fan_out(spec, function, todo, label):
        jobs.extend(todo)
        return [({"images": count, "repeat": repeat + 1, "seed": 1, "accuracy": accuracies[count, repeat], "parameters": 9},
                 MACHINE) for count, repeat in jobs]  # fmt: skip

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checks, "load", lambda: settings)
    monkeypatch.setattr(compute, "fan_out", fan_out)
    learning_curve.main("lenet")
    assert sorted(jobs) == sorted(accuracies)
    metrics = json.loads(Path("metrics/learning_curve/lenet.json").read_text())
    assert (metrics["accuracy_64"], metrics["accuracy_32"]) == pytest.approx((0.6, 0.3))
    spread = math.sqrt(2 * 0.1**2)  # of two values 0.2 apart, with one degree of freedom
    assert metrics["standard_error_64"] == pytest.approx(spread / math.sqrt(2), abs=1e-6)
    assert metrics["standard_error_32"] == pytest.approx(spread / 2 / math.sqrt(2), abs=1e-6)
    assert (metrics["accuracy"], metrics["standard_error"]) == (metrics["accuracy_64"], metrics["standard_error_64"])
    assert (metrics["repeats"], metrics["parameters"], metrics["kernels"]) == (2, 9, "x")
    assert list(pd.read_csv("plots/learning_curve/lenet.csv").columns) == ["images", "repeat", "seed", "accuracy"]
