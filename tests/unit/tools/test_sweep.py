"""The table and the picture of a sweep."""

import html
import json
import subprocess
import sys

import pandas as pd
import pytest
from dvc.repo import Repo
from dvc.utils import serialize

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
    assert sweep.metric({"au": 0.9}, "x", "au") is None  # of no metric's name but a part


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


PIPELINE = """
stages:
  train:
    foreach: ${train}
    do:
      cmd: make ${key}
      deps: [code.py]
      params: ["train.${key}", seed]
      outs: ["models/${key}.keras"]
  evaluate:
    foreach: ${train}
    do:
      cmd: evaluate ${key}
      deps: ["models/${key}.keras", scores.py]
      outs: ["metrics/evaluate/${key}.json"]
  classify:
    cmd: classify
    params: [classifiers]
    outs: [metrics/classify/raw.json]
  collect:
    cmd: collect
    deps: [metrics/evaluate, params.yaml]
    metrics: [metrics/summary]
"""
COMMITTED = {"typ": "baseline", "rev": "main", "Experiment": None, "train.a.batch": 10.0, "train.b.batch": 10.0, "seed": 1.0,
             "classifiers.trees": 100.0, "code.py": "11", "other.py": "11"}  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with experiments a, b and raw."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text("train: {a: {batch: 10}, b: {batch: 10}}\nseed: 1\nclassifiers: {trees: 100}\n")
    subprocess.run(["git", "init", "-q", folder], check=True)
    Repo.init(str(folder)).close()
    return folder


@pytest.fixture
def experiments(repository, monkeypatch):
    """Gives the experiments of a sweep by name, of those whose differences from the committed row it is given."""
    monkeypatch.chdir(repository)
    monkeypatch.setitem(serialize.LOADERS, ".yaml", serialize.load_yaml)  # which the scheduling of this process may have replaced

    def names(experiment, rows):
        rows = {"workspace": {"typ": "baseline", "rev": "workspace"}} | {name: {"rev": name} | row for name, row in rows.items()}
        shown = [COMMITTED | {"typ": "branch_commit", "Experiment": name} | row for name, row in rows.items()]
        monkeypatch.setattr("dvc.api.exp_show", lambda: [*shown, COMMITTED])
        return [row["rev"] for row in sweep.of(experiment)]

    return names


@pytest.mark.parametrize(("experiment", "changed"), [
    ("a", ["of a", "of both", "of a, without a value", "seed", "code"]), ("b", ["of b", "of both", "seed", "code"]),
    ("raw_random_forest", ["trees"]),
])  # fmt: skip
def test_of_a_sweep_are_the_experiments_that_changed_what_the_named_one_depends_on(experiments, experiment, changed):
    rows = {"of a": {"train.a.batch": 20.0}, "of b": {"train.b.batch": 20.0},
            "of both": {"train.a.batch": 20.0, "params.yaml:train.b.batch": 20.0}, "nothing": {},
            "of a, without a value": {"train.a.batch": None, "State": "Failed"}, "of more a's": {"train.aa.batch": 3.0},
            "seed": {"seed": 2.0}, "trees": {"classifiers.trees": 9.0}, "other code": {"other.py": "22"},
            "code": {"code.py": "22"}}  # fmt: skip
    assert experiments(experiment, rows) == changed


def test_an_experiment_that_dvc_yaml_does_not_have_is_told(experiments):
    with pytest.raises(ValueError, match=r"^no_such: dvc.yaml has no stage that scores it"):
        experiments("no_such", {})


def test_outside_a_repository_a_sweep_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sweep", "x"])
    with pytest.raises(SystemExit, match=r"^error: you are not inside of a DVC repository .*: call it in the project's folder"):
        sweep.main()
