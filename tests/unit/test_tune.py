"""A grid search whose result depends on neither the number of jobs nor on an interruption."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.lib import arrays
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


def tuned(jobs, epochs=2, check=True):
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["scale"], raw["compute"]["jobs"] = "smoke", jobs
    raw["tune"]["head_grid"] |= {"grid": GRID, "epochs": epochs}
    Path("params.yaml").write_text(yaml.safe_dump(raw))
    done = subprocess.run(
        [sys.executable, "-m", "stages.tune", "head_grid"], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0 or not check, done.stderr
    return [
        Path(name).read_bytes() for name in ("metrics/tune/head_grid.json", "plots/tune/head_grid.csv", "models/head_grid.keras")
    ]


def test_the_number_of_jobs_changes_no_byte_and_the_best_on_the_holdout_is_scored(project):
    first = tuned(jobs=1)
    shutil.rmtree(".state")
    assert tuned(jobs=2) == first
    rows = [line.split(",") for line in first[1].decode().splitlines()]
    holdout = {row[0]: float(row[rows[0].index("holdout_accuracy")]) for row in rows[1:]}
    found = json.loads(first[0])
    assert found["runs"] == 2
    assert found["holdout_accuracy"] == max(holdout.values()) == holdout[str(found["units"])]
    assert found["images"] == 20
    assert not list(Path(".state").glob("tune-*"))
