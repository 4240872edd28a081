"""The table and the picture of a sweep."""

import html
import json

import pandas as pd
import pytest

from relearn.report import figures
from tools import sweep

ROWS = [
    {"Experiment": "calm-ants", "rev": "a", "train.x.batch": 10.0, "seed": 14.0, "metrics/summary/x.json:accuracy": 0.7},
    {"Experiment": "bold-bees", "rev": "b", "train.x.batch": 30.0, "seed": 14.0, "metrics/summary/x.json:accuracy": 0.8},
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a metrics file of experiment x."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics/summary").mkdir(parents=True)
    (tmp_path / "metrics/summary/x.json").write_text(json.dumps({"accuracy": 0.7, "auc": 0.9}))
    monkeypatch.setattr("dvc.api.params_show", lambda: {"train": {}, "seed": 14})
    return tmp_path


def test_a_sweep_is_a_table_of_what_differs_best_first(project):
    table = sweep.tabled(ROWS, "x", "accuracy")
    assert sweep.markdown(table).splitlines() == [
        "| experiment | train.x.batch | accuracy |",
        "|---|---|---|",
        "| bold-bees | 30 | 0.8 |",
        "| calm-ants | 10 | 0.7 |",
    ]


def test_of_a_loss_the_lowest_is_best_and_equal_ones_stand_in_the_order_of_their_params(project):
    rows = [
        {"Experiment": name, "rev": name, "train.x.batch": batch, "metrics/summary/x.json:holdout_loss": loss}
        for name, batch, loss in (("a", 30, 0.5), ("b", 20, 0.25), ("c", 10, 0.25), ("d", 40, 0.75))
    ]
    table = sweep.tabled(rows, "x", "holdout_loss")
    assert table["experiment"].tolist() == ["c", "b", "a", "d"]
    svg = figures.parallel(table.drop(columns="experiment"), "holdout_loss", sweep.lower("holdout_loss"))
    assert svg.count("stroke-width: 2.4") == 1
    assert figures.parallel(table.drop(columns="experiment"), "holdout_loss") != svg


@pytest.mark.parametrize("values", [["auto", 1], [0.9, None], [["conv0"], ["conv0", "conv1"]], [True, "caffe"]])
def test_what_is_swept_need_not_be_numbers(values):
    table = pd.DataFrame({"swept": pd.Series(values), "other": [1, 2], "accuracy": [0.5, 0.6]})
    svg = figures.parallel(table, "accuracy")
    for value in values:
        assert f">{'none' if value is None else html.escape(str(value), quote=False)}<" in svg


def test_a_metric_that_only_another_experiment_has_is_none_of_this_one(project):
    row = {"auc": 0.9, "mcnemar_p": 0.03}
    assert sweep.metric(row, "x", "auc") == 0.9
    assert sweep.metric(row, "x", "mcnemar_p") is None
    assert sweep.metric(row, "y", "auc") is None


def test_photographs_are_swept_too(project):
    """DVC sees files from the project's top, and names that of a parameter which stands in both params.yaml."""
    (project / "photos/metrics/summary").mkdir(parents=True)
    (project / "photos/metrics/summary/pets.json").write_text(json.dumps({"accuracy": 0.7}))
    rows = [
        {
            "Experiment": name,
            "rev": name,
            "photos/params.yaml:train.side": side,
            "photos/metrics/summary/pets.json:accuracy": share,
        }
        for name, side, share in (("a", 64, 0.5), ("b", 128, 0.75))
    ]
    table = sweep.tabled(rows, "pets", "accuracy")
    assert table.to_dict("records") == [
        {"experiment": "b", "photos/params.yaml:train.side": 128, "accuracy": 0.75},
        {"experiment": "a", "photos/params.yaml:train.side": 64, "accuracy": 0.5},
    ]
