"""`make check` looks at both pipelines, and tells all mistakes at once."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from dulwich.ignore import IgnoreFilterManager
from dulwich.repo import Repo

from relearn.data import arrays, processor
from relearn.params.base import ParamsError
from relearn.scheduling import plans
from tests.conftest import ROOT
from tools import check


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's top with the five files that are checked; gives what replaces text in one of them."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "photos").mkdir()
    for name in ("params.yaml", "printed.yaml", "photos/params.yaml", "photos/printed.yaml", "claims.yaml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)

    def replace(name: str, old: str, new: str) -> None:
        text = (tmp_path / name).read_text()
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new, 1))

    return replace


@pytest.mark.parametrize("started", [".", "photos"])
def test_both_files_are_described_though_no_photograph_is_here(project, monkeypatch, capsys, started):
    monkeypatch.chdir(started)
    check.main()
    output = capsys.readouterr()
    first, photos = output.out.splitlines()
    assert first.startswith("params.yaml is valid: scale quick, seed 14; ")
    assert photos.startswith("photos/params.yaml is valid: scale quick, seed 14; 6 transfer, 3 classify; ")
    assert output.err == ""


def test_mistakes_in_both_files_are_told_at_once(project):
    project("params.yaml", "jobs: auto", "jobs: many")
    project("photos/params.yaml", "fit: stretch", "fit: stretc")
    project("claims.yaml", "says: above", "says: over")
    with pytest.raises(ParamsError) as error:
        check.main()
    assert str(error.value).splitlines() == [
        "compute.jobs: 'many' is neither auto nor a whole number from 1",  # once, though both use it
        "photos: datasets.cats_vs_dogs.fit: 'stretc' is none of crop, stretch",
        "claims.yaml: claims.deep_above_shallow_adadelta.says: 'over' is none of above, below, within",
    ]


def test_a_folder_of_photographs_that_is_elsewhere_is_told_and_is_no_mistake(project, capsys):
    project("photos/params.yaml", "folder: data/archives/cats_vs_dogs", "folder: ~/cats_vs_dogs")
    check.main()
    output = capsys.readouterr()
    assert "photos: datasets.cats_vs_dogs.folder: '~/cats_vs_dogs': no such folder or archive here" in output.err
    assert len(output.out.splitlines()) == 2


def test_numbers_of_an_experiment_that_was_taken_out_are_told(project, capsys):
    project("printed.yaml", "metric: evaluate/", "metric: evaluate/no_")
    check.main()
    assert "printed.yaml: 1 numbers have no experiment in params.yaml, and are left out\n" in capsys.readouterr().out


def test_a_claim_of_a_chapter_that_there_is_not_is_a_mistake(project):
    project("claims.yaml", "chapter: Q1", "chapter: Q99")
    with pytest.raises(ParamsError, match=r"^claims.yaml: good_after_one_epoch.chapter: 'Q99' is none of J1, K1, K2, "):
        check.main()


def test_claims_of_an_experiment_that_was_taken_out_are_told(project, capsys):
    project("claims.yaml", "first: evaluate/deep_adadelta", "first: evaluate/no_deep_adadelta")
    check.main()
    told = "claims.yaml: without an experiment in params.yaml (taken out, or misspelt): "
    assert f"{told}deep_above_shallow_adadelta (evaluate/no_deep_adadelta.accuracy)\n" in capsys.readouterr().out


def test_photographs_inside_the_project_are_told_with_the_cure(project, tmp_path, capsys):
    project("photos/params.yaml", "folder: data/archives/cats_vs_dogs", "folder: pets")
    (tmp_path / "photos/pets/cat").mkdir(parents=True)
    check.main()
    assert "photos: datasets.cats_vs_dogs.folder: 'pets': lies inside the project" in (told := capsys.readouterr().err)
    assert "`dvc add photos/pets` at the project's top, or put it outside" in told
    assert len(told.splitlines()) == 1
    (tmp_path / "photos/pets.dvc").touch()
    check.main()
    assert capsys.readouterr().err == ""


def test_a_test_fraction_beside_folders_of_splits_is_told(project, tmp_path_factory, capsys):
    pets = tmp_path_factory.mktemp("elsewhere") / "pets"
    project("photos/params.yaml", "folder: data/archives/cats_vs_dogs", f"folder: {pets}")
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (pets / split / name).mkdir(parents=True)
            (pets / split / name / "1.jpg").touch()
    check.main()
    assert "photos: datasets.cats_vs_dogs.test_fraction: is not used" in capsys.readouterr().err
    (pets / "train").rename(pets / "first")
    (pets / "test").rename(pets / "second")
    check.main()
    assert capsys.readouterr().err == ""


def test_links_at_which_dvc_would_end_or_look_away_are_told(project, tmp_path, tmp_path_factory, capsys):
    pets = tmp_path_factory.mktemp("elsewhere") / "pets"
    project("photos/params.yaml", "folder: data/archives/cats_vs_dogs", f"folder: {pets}")
    (pets / "cat").mkdir(parents=True)
    (pets / "cat/lost.jpg").symlink_to("nowhere")
    check.main()
    assert f"{pets}/cat/lost.jpg: is a link to nothing: remove it" in capsys.readouterr().err


def test_git_takes_no_photographs_that_lie_beside_the_pipeline(tmp_path):
    shutil.copy2(ROOT / ".gitignore", tmp_path)
    kept = ["photos/params.yaml", "photos/pets.dvc", "photos/metrics/gather/mine.json", "photos/plots/roc/mine.csv",
            "photos/reports/quick/results.json", "photos/models/.gitignore"]  # fmt: skip
    for name in [*kept, "photos/pets/cat/1.jpg", "photos/my pets/1.png", "photos/pets.zip", "photos/pets.tar.gz"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    told = subprocess.run(
        ["git", "ls-files", "-oz", "--exclude-standard"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert set(told.stdout.split("\0")) == {".gitignore", "", *kept}
    seen_by_dvc = IgnoreFilterManager.from_repo(Repo(tmp_path))  # which looks for no dvc.yaml in folders that git ignores
    assert not any(
        seen_by_dvc.is_ignored(f"photos/{folder}") for folder in ("", "data/", "metrics/", "models/", "plots/", "reports/")
    )


@pytest.mark.parametrize(("stage", "told"), [
    ("train@lenet", "1 training of 5 epochs"), ("evaluate@lenet", ""), ("relabel@vehicles", ""), ("collect", ""),
    ("one_vs_rest", "10 trainings of 2 epochs"), ("finetune@freeze_both", "3 trainings of 2 epochs"),
    ("repeat@scratch_deep", "3 trainings of 2 epochs"), ("learning_curve@lenet", "6 trainings of 7 epochs"),
    ("tune@head_grid", "4 trainings of 9 epochs"), ("train@of_a_block_taken_out", ""),
])  # fmt: skip
def test_what_a_stage_trains_is_told_in_numbers(params_with, stage, told):
    changes = {
        "train.lenet.epochs": 5, "one_vs_rest.epochs": 2, "protocols.K7.repeats": 3, "protocols.K7.epochs": 2,
        "learning_curve.lenet.counts": [128, 64, 32], "learning_curve.lenet.repeats": 2, "learning_curve.lenet.epochs": 7,
        "tune.head_grid.grid": {"units": [8, 9], "dropout": [0.1], "batch": [10, 30]}, "tune.head_grid.epochs": 9,
    }  # fmt: skip
    assert check.training(stage, params_with(changes)) == told


def test_the_phases_of_photographs_are_trainings(photos_with):
    settings = photos_with(
        {"datasets.cats_vs_dogs.recipe": "frozen", "recipes.frozen.head.epochs": 4, "recipes.frozen.tune.epochs": 1}
    )
    assert check.training("photos/dvc.yaml:head@cats_vs_dogs", settings) == "1 training of 4 epochs"
    assert check.training("photos/dvc.yaml:tuned@cats_vs_dogs", settings) == "1 training of 1 epoch"


@pytest.mark.parametrize(("took", "told"), [
    ({}, "dvc.yaml: 3 stages may have to run"),
    # The chain of two takes 200 s; all three, 300 s, on two cores half of that.
    ({"train@lenet": 170, "evaluate@lenet": 30, "train@deep_sgd": 100, "train@other": 999},
     "dvc.yaml: 3 stages may have to run, about 4 min by the last run here"),
    ({"train@lenet": 170, "train@deep_sgd": 300},
     "dvc.yaml: 3 stages may have to run, about 5 min by the last run here; 1 of them have not run here yet"),
])  # fmt: skip
def test_what_will_run_is_told_with_the_minutes_of_the_last_run_here(project, params_with, tmp_path, monkeypatch, took, told):
    plan = plans.Plan({"train@lenet": [], "evaluate@lenet": ["train@lenet"], "train@deep_sgd": []}, {})
    monkeypatch.setattr(plans, "make", lambda targets, scale: plan)
    monkeypatch.setattr(processor, "cores", lambda: 2)
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state/seconds.json").write_text(json.dumps({"quick": took, "book": {"train@lenet": 99999}}))
    first, *trained = check.work("dvc.yaml", params_with({"train.lenet.epochs": 5, "train.deep_sgd.epochs": 1}))
    assert first == told
    assert [line.partition(", took ")[0] for line in trained] == [
        "  train@lenet: 1 training of 5 epochs", "  train@deep_sgd: 1 training of 1 epoch"]  # fmt: skip
    assert trained[0].endswith(", took 170 s here") == bool(took)


def test_nothing_to_run_and_what_dvc_cannot_read_are_told(project, params_with, tmp_path, monkeypatch, capsys):
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.setattr(plans, "make", lambda targets, scale: plans.Plan({}, {}))
    assert list(check.work("dvc.yaml", params_with({}))) == ["dvc.yaml: is up to date"]

    def refused(targets, scale):
        raise ValueError("DVC: no such thing")

    monkeypatch.setattr(plans, "make", refused)
    assert list(check.work("dvc.yaml", params_with({}))) == []
    assert capsys.readouterr().err == "warning: dvc.yaml: DVC: no such thing\n"


def test_photographs_that_were_gathered_are_counted_by_class_and_split(project, tmp_path, capsys):
    for key, test in (("cats_vs_dogs", [0, 1]), ("flowers17", [1, 1])):
        labels = {"train_labels": np.array([0, 0, 1, 1], np.uint8), "test_labels": np.array(test, np.uint8)}
        images = {f"{split}_images": np.zeros((count, 1, 1, 3), np.uint8) for split, count in (("train", 4), ("test", 2))}
        arrays.write(tmp_path / f"photos/data/{key}", **labels, **images)
        arrays.write_classes(tmp_path / f"photos/data/{key}", ["cat", "dog"])
    check.main()
    lines = capsys.readouterr().out.splitlines()
    assert "photos/data/cats_vs_dogs: photographs to train + to test, as last gathered: 2 + 1 of each of 2 classes" in lines
    assert "photos/data/flowers17: photographs to train + to test, as last gathered: cat 2 + 0, dog 2 + 2" in lines


def test_elsewhere_it_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^this is not the project: call it in its folder$"):
        check.main()
