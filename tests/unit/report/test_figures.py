"""Records, figures, the page and timings: what people and programs read."""

import numpy as np
import pandas as pd
import pytest

from relearn.report import figures

HISTORY = pd.DataFrame({"epoch": [1, 2, 3], "loss": [2.0, 1.5, 1.2]})
POINTS = pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [1.0, 0.0, 1.0], "class": ["3", "5", "8"]})
ROC = pd.DataFrame({"fpr": [0, 0.1, 1], "tpr": [0, 0.9, 1]})
REPEATS = {"scratch": pd.DataFrame({"accuracy": [0.5, 0.6]}), "one": pd.DataFrame({"accuracy": [0.7]})}
SIZES = pd.DataFrame({"images": [300, 300, 600, 600], "accuracy": [0.5, 0.6, 0.7, 0.8]})
GRID = pd.DataFrame({"units": [256, 512], "dropout": [0.1, 0.1], "accuracy": [0.9, 0.8], "holdout_accuracy": [0.7, 0.6]})
COSTS = pd.DataFrame({"name": ["a", "b"], "petaflop": [0.303, 0.464], "accuracy": [0.5, 0.75]})
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
    "costs": lambda: figures.costs(COSTS),
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


def test_costs_and_what_they_led_to_are_both_drawn_between_labelled_ends():
    svg = figures.costs(COSTS)
    assert all(svg.count(f">{label}<") == 1 for label in ("a", "b", "0.1", "1"))
    assert svg != figures.costs(COSTS.assign(petaflop=[0.303, 0.6]))
    assert svg != figures.costs(COSTS.assign(accuracy=[0.5, 0.6]))


def test_there_may_be_more_series_than_colours():
    many = [f"series {number}" for number in range(len(figures.TEN) + 1)]
    svgs = [
        figures.curves(dict.fromkeys(many, HISTORY), "loss", "loss"),
        figures.learning_curve(dict.fromkeys(many, SIZES), {}),
        figures.bars(["a"], {name: [1] for name in many}, "errors"),
        figures.losses(pd.DataFrame({"epoch": [1, 2]} | {name: [1.0, 2.0] for name in many})),
        figures.scatter(pd.DataFrame({"x": 0.5, "y": 0.5, "class": many}), "t-SNE"),
    ]
    assert all(f">{many[-1]}<" in svg for svg in svgs)


@pytest.mark.parametrize("svg", [
    figures.bars(["a", "b"], {"ours": [1, 2], "theirs": [2, 1]}, "errors", {"theirs": [2, 2]}),
    figures.learning_curve({"lenet": SIZES, "dense": SIZES}, {"dense": 0.9}),
    figures.repeats(REPEATS, {"one": (0.6, 0.01)}),
])  # fmt: skip
def test_the_legend_tells_what_is_printed_whichever_series_has_it(svg):
    assert svg.count(">printed") == 1


def test_an_empty_cell_of_a_confusion_matrix_has_its_number_alone():
    svg = figures.confusion(np.array([[75.0, 25.0], [0.0, 100.0]]), ["a", "b"], "all")
    assert svg.count(f"fill: {figures.BLUE}") == 3
    assert svg.count(">0.0<") == 1


@pytest.mark.parametrize(("classes", "size"), [(11, "small"), (12, "large")])
def test_many_classes_get_a_row_of_the_page_for_themselves(classes, size):
    svg = figures.confusion(np.eye(classes) * 100, [f"class {number}" for number in range(classes)], "all")
    assert f'class="{size}" role="img"' in svg
