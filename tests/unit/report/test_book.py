"""The page of results/book: sections on what is there, curves of all seeds."""

import re
import shutil

import pandas as pd
import pytest

from relearn.data import records
from relearn.report import book
from tests.conftest import ROOT

SHALLOW = ("shallow_adadelta", "shallow_sgd")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """What `make book ONLY="K1 L"` would keep: K1's shallow nets with two seeds, photographs with one; scores of another net."""
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "kept"
    for seed in (14, 15):
        for key in SHALLOW:
            for name in (f"metrics/train/{key}.json", *(f"{each}/{key}.json" for each in ("metrics/evaluate", "plots/evaluate")),
                         *(f"plots/{each}/{key}.csv" for each in ("history", "confusion", "roc"))):  # fmt: skip
                copied(ROOT / name, folder / f"seed_{seed}/{name}")
    copied(ROOT / "metrics/evaluate/deep_sgd.json", folder / "seed_14/metrics/evaluate/deep_sgd.json")
    photographs = [path for each in ("head", "tuned", "probe") for path in ROOT.glob(f"photos/*/*/flowers17_{each}.*")
                   if "plots/evaluate" not in str(path)]  # which git does not have, as it shows photographs  # fmt: skip
    for path in [*photographs, ROOT / "photos/metrics/gather/flowers17.json"]:
        copied(path, folder / "seed_14" / path.relative_to(ROOT / "photos"))
    return folder


def copied(path, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, to)


def test_only_experiments_with_all_their_files_have_sections_and_no_photograph_is_shown(kept):
    sections = {section.id: section for section in book.built([], kept)}
    assert list(sections) == ["curves", "costs", "flowers17"]
    assert "deep_sgd" not in "".join(sections["curves"].svgs)
    assert sections["flowers17"].sheet == ""
    assert sections["flowers17"].table == []


def test_costs_are_of_every_training_that_was_scored_and_accuracies_the_mean_of_its_seeds(kept):
    for seed, accuracy in ((14, 0.25), (15, 0.75)):
        (kept / f"seed_{seed}/metrics/evaluate/shallow_sgd.json").write_text(f'{{"accuracy": {accuracy}, "images": 9}}')
    (kept / "seed_14/metrics/evaluate/fast94.json").write_text('{"accuracy": 0.5, "accuracy_of_one_view": 0.375}')
    copied(ROOT / "metrics/train/fast94.json", kept / "seed_14/metrics/train/fast94.json")  # which has no curves here
    costs = next(section for section in book.built([], kept) if section.id == "costs")
    shown = {row["experiment"]: row["accuracy"] for row in costs.table}
    assert shown.keys() == {*SHALLOW, "fast94"}
    assert shown["shallow_sgd"] == "0.5000"
    assert shown["fast94"] == "0.3750"


def test_curves_of_all_seeds_have_the_colour_and_the_name_of_their_training(kept):
    path = kept / "seed_15/plots/history/shallow_sgd.csv"
    history = pd.read_csv(path)
    once = next(section for section in book.built([], kept) if section.id == "curves").svgs[0]
    history.assign(loss=history["loss"] / 2).to_csv(path, index=False)
    twice = next(section for section in book.built([], kept) if section.id == "curves").svgs[0]
    assert once != twice
    for svg in (once, twice):
        assert [svg.count(f">{key}<") for key in SHALLOW] == [1, 1]
        drawn = re.findall(r'<path d="[^"]*" clip-path="[^"]*" style="fill: none[^"]*stroke: (#[0-9a-f]{6})', svg)
        assert drawn == ["#3b82f6"] * 4  # the shallow net's colour: two optimizers, two seeds


def test_the_time_of_a_stage_is_that_of_its_quickest_seed(kept):
    run = {"processor": "a", "precision": "float32", "threads": 2}
    for seed, seconds in ((14, {"train@a": 90.25, "train@b": 60.5}), (15, {"train@a": 30.75, "train@b": None, "train@c": 45.0})):
        records.write_json(kept / f"seed_{seed}/runs.json", {name: run | {"seconds": each} for name, each in seconds.items()})
    html = book.render([], folder=kept)
    assert re.findall(r"<td>(train@\w)</td><td>([\d.]+)</td>", html) == [
        ("train@b", "60.5"),
        ("train@c", "45.0"),
        ("train@a", "30.8"),
    ]


def test_the_page_is_the_same_bytes_for_the_same_results_and_names_them(kept):
    first = book.render([], folder=kept)
    assert book.render([], folder=kept) == first
    (kept / "seed_15/runs.json").write_text("{}")
    digests = [re.findall(r'name="results" content="([0-9a-f]{64})"', page) for page in (first, book.render([], folder=kept))]
    assert digests[0] != digests[1]
