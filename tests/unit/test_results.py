"""Records, figures, the page and timings: what people and programs read."""

from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from relearn.data import records, seeds
from relearn.process import timings
from relearn.report import figures, page, sections

SHALLOW = {
    "images": "cifar10", "labels": "cifar10_shuffled", "net": "shallow", "batch": 8, "epochs": 1,
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
}  # fmt: skip


def test_json_has_null_for_nan_and_no_noise_digits(tmp_path):
    records.write_json(tmp_path / "a.json", {"accuracy": 0.1 + 0.2, "p": 1.23456789e-9, "none": float("nan"), "n": 3})
    assert (tmp_path / "a.json").read_text() == '{\n  "accuracy": 0.3,\n  "p": 1.23457e-09,\n  "none": null,\n  "n": 3\n}\n'


def test_seeds_differ_by_every_part_and_never_change():
    made = {seeds.derive(14, "train", key, repeat) for key in ("a", "b") for repeat in range(50)}
    assert len(made) == 100
    assert seeds.derive(14, "train", "a", 0) == seeds.derive(14, "train", "a", 0)
    assert seeds.derive(15, "train", "a", 0) not in made


HISTORY = pd.DataFrame({"epoch": [1, 2, 3], "loss": [2.0, 1.5, 1.2]})
POINTS = pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [1.0, 0.0, 1.0], "class": ["3", "5", "8"]})
ROC = pd.DataFrame({"fpr": [0, 0.1, 1], "tpr": [0, 0.9, 1]})
REPEATS = {"scratch": pd.DataFrame({"accuracy": [0.5, 0.6]}), "one": pd.DataFrame({"accuracy": [0.7]})}
SIZES = pd.DataFrame({"images": [300, 300, 600, 600], "accuracy": [0.5, 0.6, 0.7, 0.8]})
GRID = pd.DataFrame({"units": [256, 512], "dropout": [0.1, 0.1], "accuracy": [0.9, 0.8], "holdout_accuracy": [0.7, 0.6]})
PIXELS = pd.DataFrame({"stage": "as stored", "channel": ["red", "green", "blue"] * 2, "value": [0, 0, 0, 4, 4, 4], "share": 0.5})
FIGURES = {
    "curves": lambda: figures.curves({"deep_sgd": HISTORY, "shallow_adadelta": HISTORY}, "loss", "training loss"),
    "confusion": lambda: figures.confusion(np.array([[90.0, 10.0], [np.nan, np.nan]]), ["a", "b"], "two"),
    "roc": lambda: figures.roc(ROC, (0.1, 0.9), 0.95, 0.9),
    "bars": lambda: figures.bars(["a", "b"], {"ours": [1, 2], "theirs": [2, 1]}, "errors", {"ours": [2, 2]}),
    "scatter": lambda: figures.scatter(POINTS, "t-SNE"),
    "learning_curve": lambda: figures.learning_curve({"lenet": SIZES, "dense": SIZES}, {"lenet": 0.9}),
    "parallel": lambda: figures.parallel(GRID, "holdout_accuracy"),
    "losses": lambda: figures.losses(HISTORY),
    "histogram": lambda: figures.histograms(PIXELS)[0],
    "repeats": lambda: figures.repeats(REPEATS, {"scratch": (0.6, 0.01)}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_same_bytes_and_takes_the_pages_ink(name):
    svg = FIGURES[name]()
    assert svg == FIGURES[name]()
    assert svg.startswith("<svg")
    assert 'role="img" aria-label="' in svg
    assert "currentColor" in svg
    assert figures.INK not in svg


def test_there_may_be_more_series_than_colours():
    many = [f"series {number}" for number in range(len(figures.TEN) + 1)]
    made = [
        figures.curves(dict.fromkeys(many, HISTORY), "loss", "loss"),
        figures.learning_curve(dict.fromkeys(many, SIZES), {}),
        figures.bars(["a"], {name: [1] for name in many}, "errors"),
        figures.losses(pd.DataFrame({"epoch": [1, 2]} | {name: [1.0, 2.0] for name in many})),
        figures.scatter(pd.DataFrame({"x": 0.5, "y": 0.5, "class": many}), "t-SNE"),
    ]
    assert all(f">{many[-1]}<" in svg for svg in made)


@pytest.mark.parametrize("svg", [
    figures.bars(["a", "b"], {"ours": [1, 2], "theirs": [2, 1]}, "errors", {"theirs": [2, 2]}),
    figures.learning_curve({"lenet": SIZES, "dense": SIZES}, {"dense": 0.9}),
    figures.repeats(REPEATS, {"one": (0.6, 0.01)}),
])  # fmt: skip
def test_the_legend_tells_what_is_printed_whichever_series_has_it(svg):
    assert svg.count(">printed") == 1


def test_classifiers_of_one_kind_of_digits_only_are_drawn_beside_the_others(params_with, tmp_path, monkeypatch):
    settings = params_with({"classify.embedded.classifiers": ["three_nearest"], "classify.raw.classifiers": ["linear_svm"]})
    monkeypatch.setattr(sections, "METRICS", tmp_path)
    records.write_json(tmp_path / "classify/embedded.json", {"accuracy_three_nearest": 0.75})
    records.write_json(tmp_path / "classify/raw.json", {"accuracy_linear_svm": 0.5})
    (svg,) = sections.classifiers(settings, {}).svgs
    assert ">three nearest<" in svg
    assert ">linear svm<" in svg


def test_figures_14_1_and_14_2_show_four_networks(params_with, tmp_path, monkeypatch):
    monkeypatch.setattr(sections, "PLOTS", tmp_path)
    (tmp_path / "history").mkdir()
    for number, key in enumerate(sections.FIGURE_14):
        history = HISTORY.assign(loss=HISTORY["loss"] + number, val_error=0.1 * number)
        history.to_csv(tmp_path / f"history/{key}.csv", index=False)
    loss, error = sections.curves(params_with({})).svgs
    for key in ("shallow_adadelta", "deep_adadelta", "shallow_sgd", "deep_sgd"):
        assert f">{key}<" in loss
        assert f">{key}<" in error
    assert "training loss" in loss
    assert "validation error" in error


def test_what_trainings_cost_is_told_of_any_number_of_those_that_tell_all_classes_apart(params_with, tmp_path, monkeypatch):
    several = {f"train.more_{number}": SHALLOW for number in range(3)}
    settings = params_with(several | {"evaluate.test_time_augmentation": {"fast94": "mirror"}})
    monkeypatch.chdir(tmp_path)
    for place, key in enumerate(settings.train):
        trained = {"images": 100, "epochs": 2, "petaflop": 0.25 * (1 + place)}
        records.write_json(tmp_path / f"metrics/train/{key}.json", trained)
        scored = {"accuracy": 0.5} | ({"accuracy_of_one_view": 0.25} if key == "fast94" else {})
        records.write_json(tmp_path / f"metrics/evaluate/{key}.json", scored)
    section = sections.costs(settings)
    shown = {row["experiment"]: row for row in section.table}
    assert len(shown) > 10
    assert "animal_vehicle" not in shown
    assert "vehicles" not in shown
    assert "head_adam" not in shown
    assert shown["fast94"]["accuracy"] == "0.2500"
    assert shown["shallow_adadelta"]["accuracy for each"] == "2.0"
    assert all(name in section.svgs[0] for name in shown)


def test_a_row_that_no_book_has_shows_ours_only():
    row = {"printed": None, "printed_error": None, "got": 0.87, "standard_error": None}
    assert page.texts(row) == {"printed_text": "", "got_text": "0.8700", "difference_text": ""}


def test_rows_read_as_people_read_them():
    row = {"printed": 0.7005, "printed_error": 0.00297, "got": 0.6912, "standard_error": 0.01}
    assert page.texts(row) == {
        "printed_text": "0.7005 ± 0.0030",
        "got_text": "0.6912 ± 0.0100",
        "difference_text": "-0.009",
    }
    count = {"printed": 5841.0, "printed_error": None, "got": 5700, "standard_error": None}
    assert page.texts(count) == {"printed_text": "5,841", "got_text": "5,700", "difference_text": "-141"}
    undefined = {"printed": 0.5, "printed_error": None, "got": None, "standard_error": None}
    assert page.texts(undefined)["got_text"] == "undefined"
    assert page.texts(undefined | {"printed_error": 0.01})["printed_text"] == "0.5000 ± 0.0100"


@pytest.mark.parametrize(("seconds", "text"), [(4.4, "4 s"), (492, "8 min 12 s"), (3720, "1 h 02 min")])
def test_durations(seconds, text):
    assert page.duration(seconds) == text


def results(rows=(), experiments=MappingProxyType({})):
    return {"scale": "smoke", "seed": 1, "machine": {"precision": "float32", "threads": 1, "cpu": "x"},
            "versions": {"python": "3"}, "rows": list(rows), "experiments": dict(experiments)}  # fmt: skip


def test_what_a_name_carries_stays_text_on_the_page():
    row = {"id": "K1", "what": "<script>alert(1)</script>", "printed": 0.5, "printed_error": None, "got": 0.5,
           "standard_error": None, "detail": False, "backbone": None, "printed_with": None}  # fmt: skip
    html = page.render(results(rows=[row]), [page.Section("k1", "K1", "text")], {"train@a": 61.0}, ("accuracy",), 2)
    assert "<script>" not in html
    assert "1 min 01 s in 1 of 2 stages" in html


def test_columns_that_no_experiment_fills_are_left_out():
    html = page.render(results(experiments={"a": {"accuracy": 0.5}, "b": {"mcc": 0.25}}), [], {}, ("accuracy", "loss", "mcc"), 2)
    assert "<th>accuracy</th><th>mcc</th>" in html
    assert "loss" not in html


def test_only_small_pictures_show_their_pixels_as_squares():
    sheets = [page.Section("a", "A", "", sheet="data:a"), page.Section("b", "B", "", sheet="data:b", pixels=True)]
    html = page.render(results(), sheets, {}, (), 2)
    assert '<img class="sheet" src="data:a"' in html
    assert '<img class="sheet pixels" src="data:b"' in html


@pytest.mark.parametrize(("classes", "size"), [(11, "small"), (12, "large")])
def test_many_classes_get_a_row_of_the_page_for_themselves(classes, size):
    svg = figures.confusion(np.eye(classes) * 100, [f"class {number}" for number in range(classes)], "all")
    assert f'class="{size}" role="img"' in svg


def test_only_a_stage_that_ended_well_has_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(timings, "FOLDER", tmp_path)
    with timings.stage("train@good", "smoke"):
        pass
    with pytest.raises(ValueError, match="broken"), timings.stage("train@bad", "smoke"):
        raise ValueError("broken")
    with timings.stage("train@removed", "smoke"), timings.stage("train@good", "book"):
        pass
    assert list(timings.read("smoke", ["train@good", "train@bad"])) == ["train@good"]
