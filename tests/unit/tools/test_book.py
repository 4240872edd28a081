"""Which stages `make book` runs, and what it says of the time."""

import contextlib
import json
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from relearn.data import places
from relearn.scheduling import estimates, plans
from relearn.scheduling.estimates import Estimate
from relearn.scheduling.side_by_side import Done
from tests.conftest import ROOT
from tools import book, recover, repro

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.fixture(scope="module")
def ids():
    with contextlib.chdir(ROOT):
        return book.ids()


def test_an_id_stands_for_the_stages_that_give_its_numbers(ids):
    repeats = [f"{name}@{key}" for name in ("repeat", "finetune") for key in PARAMS[name]]
    assert book.targets(ids, ["K7"]) == repeats
    assert book.targets(ids, ["K6"]) == ["evaluate@vehicles"]
    assert book.targets(ids, ["K4"]) == ["tsne@all_digits", "tsne@digits_3_5_8", "classify@embedded", "classify@raw"]
    assert book.targets(ids, ["T4", "K6"]) == ["evaluate@vehicles", "evaluate@cifar_deeper"]


def test_a_letter_stands_for_all_of_its_ids(ids):
    assert set(book.targets(ids, ["K"])) > {"one_vs_rest", "evaluate@shallow_sgd", "tsne@all_digits", *book.targets(ids, ["K7"])}
    photographs = book.targets(ids, ["Q"])
    assert {name.partition("@")[0] for name in photographs} == {
        f"photos/dvc.yaml:{name}" for name in ("evaluate_head", "evaluate_tuned", "probe")
    }
    assert {name.partition("@")[2] for name in photographs} == {"cats_vs_dogs"}


def test_a_stage_stands_for_itself(ids):
    assert book.targets(ids, ["evaluate@shallow_sgd", "K6"]) == ["evaluate@shallow_sgd", "evaluate@vehicles"]


def test_without_ids_all_that_has_something_to_keep_runs(ids):
    names = book.targets(ids, [])
    assert set(names) > {
        "train@mnist_dense",
        "photos/dvc.yaml:evaluate_tuned@flowers17",
        *book.targets(ids, ["K", "T", "R", "J"]),
    }
    kinds = {name.rpartition(":")[2].partition("@")[0] for name in names}
    assert not kinds & {"collect", "report", "claims", "predict", "download", "relabel"}


def test_an_id_that_there_is_not_is_told_with_those_that_there_are(ids):
    with pytest.raises(ValueError, match=r"^--only K8 Z: there are J1, K1, .*T9, a letter for all of its ids, or a stage with"):
        book.targets(ids, ["K7", "K8", "Z"])


def test_what_runs_has_taken_part_of_its_time_and_never_more_than_all():
    left = {"a": Estimate(100.0, ""), "b": Estimate(50.0, ""), "c": Estimate(7.0, "")}
    assert book.remaining(left, {"a": 30.0, "b": 80.0}) == 70.0 + 0.0 + 7.0


@pytest.fixture
def sitting(tmp_path, monkeypatch):
    """A seed whose stages a, b, c and d may have to run; its copy is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(book, "git", lambda *words: "1234abc\n")
    monkeypatch.setattr(recover, "main", lambda: None)
    monkeypatch.setattr(plans, "make", lambda wanted, scale: plans.Plan(dict.fromkeys("abcd", ()), {}))
    monkeypatch.setattr(estimates, "of_stages", lambda names, scale, before: {name: Estimate(600.0, "") for name in names})
    monkeypatch.setattr(book, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(book, "TELL_SECONDS", 0.0)
    (tmp_path / "copy/.state").mkdir(parents=True)
    (tmp_path / "copy/.dvc").mkdir()
    return book.Sitting(14, Path("copy"), ["d"], "quick")


def test_only_what_has_begun_and_not_ended_is_counted_and_told(sitting, monkeypatch, capsys):
    spent = sitting.copy / ".state/spent.json"

    def run(targets, jobs, report):
        for name in "abc":
            report(name, None)
            log = Path(f"logs/repro/{name}.log")
            log.parent.mkdir(parents=True, exist_ok=True)
            log.touch()
        wait_for(lambda: spent.is_file() and json.loads(spent.read_text()).keys() == {"a", "b", "c"})
        report("a", Done(False, 0.1))
        report("b", Done(False, 0.1, "exited with 1"))
        wait_for(lambda: "a" not in json.loads(spent.read_text()))
        before = json.loads(spent.read_text())
        wait_for(lambda: json.loads(spent.read_text())["c"] > before["c"] + 0.05)
        assert json.loads(spent.read_text())["b"] == before["b"]  # a training of which the first epochs are there

    monkeypatch.setattr(repro, "run", run)
    sitting.run(1)
    told = capsys.readouterr().out.splitlines()[-1]
    assert "seed 14: 1 of 4 stages done, 1 failed, over at about" in told
    assert "(c since" in told
    assert json.loads(spent.read_text()).keys() == {"b", "c"}


def test_what_ended_last_without_running_is_forgotten_as_well(sitting, monkeypatch):
    sitting.keeper.count(["a", "b"], 3600.0)  # of sittings that were killed

    def run(targets, jobs, report):
        report("a", None)
        report("a", Done(False, 0.1))

    monkeypatch.setattr(repro, "run", run)
    monkeypatch.setattr(book, "LOOK_SECONDS", 60.0)
    sitting.run(1)
    assert json.loads((sitting.copy / ".state/spent.json").read_text()) == {"b": 3600.0}


def test_a_seed_whose_stage_fails_does_not_end_the_others(monkeypatch, tmp_path, capsys):
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setattr(places, "top", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("refuse_uncommitted", "ids", "tell"):
        monkeypatch.setattr(book, name, lambda *arguments: {})
    monkeypatch.setattr(book, "prepared", lambda seed, scale: tmp_path)
    ran = []

    def sitting(seed, copy, wanted, scale):
        def run(jobs):
            ran.append(seed)
            if seed != 15:
                raise ValueError("train@a failed: exited with 1")

        return SimpleNamespace(seed=seed, run=run)

    monkeypatch.setattr(book, "Sitting", sitting)
    with pytest.raises(SystemExit, match=r"^error: (seed 1[46]: train@a failed: exited with 1\n?){2}$"):
        book.main(["--seeds", "14", "15", "16"])
    assert ran == [14, 15, 16]


def test_a_second_make_book_is_refused_by_its_name_while_make_repro_may_run(monkeypatch, tmp_path):
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    with repro.alone(book.COPIES / "lock", "make book"):
        with repro.alone():
            pass
        with pytest.raises(ValueError, match=r"^another `make book` is running here"):
            repro.alone(book.COPIES / "lock", "make book").__enter__()


def test_what_a_killed_sitting_left_is_kept_at_the_commit_that_it_ran(monkeypatch, tmp_path):
    """The copy goes on to a new commit only after that."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".book/seed_14/.dvc").mkdir(parents=True)
    (tmp_path / ".book/seed_14/.dvc/config.local").touch()
    done: list[str] = []
    monkeypatch.setattr(book, "git", lambda *words: done.append(words[2]))
    monkeypatch.setattr(book, "keeper", lambda *arguments: SimpleNamespace(all=partial(done.append, "kept")))
    with pytest.raises(FileNotFoundError):  # no params.yaml comes by this git
        book.prepared(14, "quick")
    assert done == ["kept", "fetch", "restore", "update-ref"]


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
