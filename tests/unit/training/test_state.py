"""Where a training resumes from: what its state belongs to."""

import shutil
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest

from relearn.networks import nets
from relearn.process import states
from relearn.training import state
from tests.conftest import ROOT
from tests.unit.training.test_fit import NET, SPEC, small_split

MACHINE = {"precision": "float32", "threads": 1, "kernels": "x"}
SPLITS = (small_split(), small_split(20))
network = cache(nets.build)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The state's folder of a small training, with changes to what it belongs to; in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def of(net=NET, weights=7, spec=SPEC, seed=7, machine=MACHINE, splits=SPLITS, code=state.CODE):
        return state.folder("train-a", network(net, (8, 8, 3), 3, weights), spec, seed, machine, splits, code)

    return of


CHANGES: dict[str, dict[str, Any]] = {
    "a number of its block": {"spec": SPEC.model_copy(update={"batch": 17})},
    "another network of the same weights' shapes": {"net": NET.replace("D.25", "D.3")},
    "other weights to start from": {"weights": 8},
    "another seed": {"seed": 8},
    "another machine": {"machine": MACHINE | {"threads": 2}},
    "other images": {"splits": (small_split(60), SPLITS[1])},
    "other images in the curves": {"splits": (SPLITS[0], small_split(30))},
    "other pixels": {"splits": (replace(SPLITS[0], images=255 - SPLITS[0].images), SPLITS[1])},
    "other labels": {"splits": (replace(SPLITS[0], labels=SPLITS[0].labels[::-1]), SPLITS[1])},
    "other rows": {"splits": (replace(SPLITS[0], rows=SPLITS[0].rows[::-1]), SPLITS[1])},
    "images cropped": {"splits": (replace(SPLITS[0], crop=8), SPLITS[1])},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_state_belongs_to_all_that_a_training_depends_on_and_others_of_the_key_are_removed(folder, change):
    first = folder()
    first.mkdir(parents=True)
    (states.STATE / "train-b-0123").mkdir()
    assert folder() == first
    assert first.is_dir()
    assert folder(**CHANGES[change]) != first
    assert not first.exists(), "it can no longer be resumed"
    assert (states.STATE / "train-b-0123").is_dir()


def test_another_tensorflow_begins_anew(folder, monkeypatch):
    before = folder()
    monkeypatch.setattr(state, "version", lambda name: "1.0")
    assert folder() != before


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A copy of relearn/ whose code the states belong to."""
    copy = tmp_path / "relearn"
    shutil.copytree(ROOT / "relearn", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(state, "__file__", str(copy / "training/state.py"))
    return copy


@pytest.mark.parametrize(
    ("edited", "resumed"),
    [("report/page.py", True), ("report/sections.py", True), ("checks/references.py", True), ("process/progress.py", True),
     ("params/training.py", True), ("painting/style.py", True), ("backbones/frozen.py", True), ("__init__.py", True),
     ("training/fit.py", False), ("training/train.py", False), ("networks/nets.py", False), ("data/arrays.py", False),
     ("networks/new.py", False)],
)  # fmt: skip
def test_an_edit_of_code_that_changes_no_training_lets_it_be_resumed_and_any_other_does_not(folder, code, edited, resumed):
    before = folder()
    with (code / edited).open("a") as stream:
        stream.write("# edited\n")
    assert (folder() == before) == resumed


def test_a_training_on_a_backbone_depends_on_the_code_of_backbones_too(folder, code):
    transfer = partial(folder, code=[*state.CODE, "backbones"])
    before = transfer()
    with (code / "backbones/frozen.py").open("a") as stream:
        stream.write("# edited\n")
    assert transfer() != before


def test_a_training_that_is_forced_after_dvc_has_noted_it_begins_anew(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@a")
    (tmp_path / "dvc.lock").touch()
    (tmp_path / "metrics/train").mkdir(parents=True)
    (tmp_path / "metrics/train/a.json").write_text("{}")
    first = folder()
    first.mkdir(parents=True)
    states.finish("train-a")
    assert folder() == first
    assert first.is_dir()
    (tmp_path / "dvc.lock").write_text("      md5: 99914b932bd37a50b983c5e7c90ae93b\n")  # of {}, by md5sum
    assert folder() == first
    assert not first.exists()
