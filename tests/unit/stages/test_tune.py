"""A grid search. That the number of jobs and kills change no byte of it is tested in tests/pipeline/test_repro.py."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from relearn.data import arrays
from tests.conftest import ROOT

GRID = {"units": [3, 5], "dropout": [0.1], "batch": [8]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a small embedding that tells three classes apart, and the project's parameters at scale smoke."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(2)
    labels = random.integers(0, 10, 60).astype(np.uint8)
    features = (random.normal(size=(60, 2, 2, 6)) + labels[:, None, None, None] / 3).astype("float16")
    folder = arrays.DATA / "embeddings/first_2000"
    arrays.write(folder, train_features=features, train_labels=labels, test_features=features[:20], test_labels=labels[:20])
    view = arrays.VIEWS / "first_2000_embedded"
    rows = np.arange(60, dtype=np.uint32)
    arrays.write(view, train_index=rows, train_labels=labels, test_index=rows[:20], test_labels=labels[:20])
    for place in (folder, view):
        arrays.write_classes(place, [str(number) for number in range(10)])
    (view / "view.json").write_text(json.dumps({"images": "embeddings/first_2000", "crop": None}))
    return tmp_path


def test_the_best_on_the_holdout_is_scored_and_nothing_is_left_of_the_search(project):
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["scale"], raw["compute"]["jobs"] = "smoke", 1
    raw["tune"]["head_grid"] |= {"grid": GRID, "epochs": 2}
    Path("params.yaml").write_text(yaml.safe_dump(raw))
    command = [sys.executable, "-m", "stages.tune", "head_grid"]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv("plots/tune/head_grid.csv")
    metrics = json.loads(Path("metrics/tune/head_grid.json").read_text())
    holdout = dict(zip(table["units"], table["holdout_accuracy"], strict=True))
    assert metrics["runs"] == len(holdout) == 2
    assert metrics["holdout_accuracy"] == max(holdout.values()) == holdout[metrics["units"]]
    assert metrics["images"] == 20
    assert Path("models/head_grid.keras").is_file()
    assert not list(Path(".state").glob("tune-*"))
