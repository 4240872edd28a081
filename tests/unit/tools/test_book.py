"""Which stages `make book` runs, and what it says of the time."""

import contextlib

import pytest
import yaml

from relearn.scheduling.estimates import Estimate
from tests.conftest import ROOT
from tools import book

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
    with pytest.raises(ValueError, match=r"^--only K8 Z: there are J1, K1, .*T9, or a letter for all of its ids$"):
        book.targets(ids, ["K7", "K8", "Z"])


def test_what_runs_has_taken_part_of_its_time_and_never_more_than_all():
    left = {"a": Estimate(100.0, ""), "b": Estimate(50.0, ""), "c": Estimate(7.0, "")}
    assert book.remaining(left, {"a": 30.0, "b": 80.0}) == 70.0 + 0.0 + 7.0
