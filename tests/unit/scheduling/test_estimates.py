"""How long stages will take at scale book, against what the bench measured."""

import json

import pytest

from relearn.data import processor
from relearn.scheduling import estimates
from relearn.training import compute
from tests.conftest import ROOT

BENCH = json.loads((ROOT / "bench/results.json").read_text())


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(compute, "precision", lambda _: "float32")
    monkeypatch.setattr(processor, "cores", lambda: 2)  # as the bench had


@pytest.mark.parametrize(
    ("stage", "images", "net"),
    [
        ("train@shallow_adadelta", 60 * 50_000, "shallow_adadelta"),
        ("one_vs_rest", 10 * 12 * 50_000, "shallow_adadelta"),
        ("train@vehicles", 12 * 200_000, "vehicles"),
        ("finetune@freeze_none", 6 * 36 * 1_000, "vehicles"),  # the same net on images of the same side
        ("train@cifar_deeper", 50 * 40_000, "cifar_deeper"),
        ("repeat@scratch_shallow", 6 * 36 * 1_000 * (28 / 32) ** 2, "shallow_adadelta"),
    ],
)
def test_a_training_takes_its_images_at_the_benchs_rate(stage, images, net):
    found = estimates.of_stages([stage], "book", {})[stage]
    rate = BENCH["training"][net]["images_per_second"]["float32"]
    assert found.seconds == pytest.approx(estimates.OTHERS + images / rate, rel=0.03)
    assert found.source == estimates.COUNTED


def test_a_training_and_a_learning_curve_of_one_name_are_told_apart():
    train, curve = (estimates.of_stages([name], "book", {})[name] for name in ("train@lenet", "learning_curve@lenet"))
    images = 20 * 48_000 / (10 * 20 * (5_900 + 3_000 + 1_800 + 600 + 300))
    assert (train.seconds - estimates.OTHERS) / (curve.seconds - estimates.OTHERS) == pytest.approx(images)


def test_a_backbone_takes_its_pixels_at_the_benchs_rate():
    found = estimates.of_stages(["embed@first_2000"], "book", {})["embed@first_2000"]
    assert found.seconds == pytest.approx(estimates.OTHERS + 4_000 / BENCH["embedding"]["images_per_second"]["ours"])


def test_rates_are_those_of_the_machine_that_each_was_measured_on(tmp_path, monkeypatch):
    machine = BENCH["embedding"]["machine"] | {"cores": 8, "cpu": "Another"}
    (tmp_path / "results.json").write_text(json.dumps(BENCH | {"embedding": BENCH["embedding"] | {"machine": machine}}))
    here = estimates.Rates("book")
    monkeypatch.setattr(estimates, "BENCH", tmp_path / "results.json")
    assert estimates.Rates("book").backbone == pytest.approx(here.backbone / 4)
    assert estimates.Rates("book").speeds == here.speeds
    assert estimates.measured_on().endswith(", 2 cores and Another, 8 cores")


def test_a_stage_that_ran_before_is_expected_to_take_as_long_again():
    assert estimates.of_stages(["train@vehicles"], "book", {"train@vehicles": 77.0})["train@vehicles"] == (77.0, estimates.BEFORE)


def test_what_cannot_be_counted_is_guessed_and_says_so():
    names = ["tsne@all_digits", "train@new_one", "photos/dvc.yaml:gather@flowers17"]
    assert {found.source for found in estimates.of_stages(names, "book", {}).values()} == {estimates.GUESSED}


def test_every_stage_of_both_pipelines_has_an_estimate():
    names = [f"photos/dvc.yaml:{kind}@{key}" for kind in ("embed", "head", "tuned") for key in ("flowers17", "cats_vs_dogs")]
    found = estimates.of_stages([*names, "tune@head_grid", "learning_curve@lenet", "repeat@scratch_shallow"], "book", {})
    assert all(estimate.source == estimates.COUNTED and estimate.seconds > estimates.OTHERS for estimate in found.values())
