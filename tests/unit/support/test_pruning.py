"""The pipeline of the tests: an experiment more in params.yaml is none there, and what is left fits together."""

import yaml

from relearn import checks
from tests.conftest import ROOT
from tests.support import pruning


def test_one_experiment_of_each_kind_is_left_however_many_there_are(tmp_path):
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    settings["train"]["another"] = settings["train"]["lenet"] | {"labels": "another"}
    settings["relabel"]["another"] = settings["relabel"]["mnist_in_order"]
    settings["report"]["gallery"]["another"] = 3
    settings["evaluate"]["also_train"].append("another")
    pruning.prune(settings)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    checked = checks.load(tmp_path / "params.yaml")  # every name that is used is there
    assert checked.scale == "smoke"
    assert "another" not in str(settings)
    assert len(checked.train) < 10
    for kind in ("learning_curve", "tsne", "classify", "tune", "repeat", "finetune", "predict", "style_transfer", "augment",
                 "describe"):  # fmt: skip
        assert getattr(checked, kind)


def test_plots_are_those_of_what_is_left():
    pipeline = {
        "plots": [
            {"both": {"x": "epoch", "y": {"plots/history/lenet.csv": "loss", "plots/history/another.csv": "loss"}}},
            {"none": {"x": "epoch", "y": {"plots/history/another.csv": "loss"}}},
            {"plots/roc/another.csv": {"x": "fpr", "y": "tpr"}},
            {"plots/roc/multiclass.csv": {"x": "fpr", "y": "tpr"}},
        ]
    }
    pruning.prune_plots(pipeline)
    assert pipeline["plots"] == [
        {"both": {"x": "epoch", "y": {"plots/history/lenet.csv": "loss"}}},
        {"plots/roc/multiclass.csv": {"x": "fpr", "y": "tpr"}},
    ]
