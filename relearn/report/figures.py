"""The report's figures as SVG text that takes the page's own ink, so that they read in light and in dark.

Every function gives one `<svg>` whose bytes depend on its data only.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

PIXELS_PER_INCH = 108  # on the page, at most: letters of the same size in every figure
LARGE = 700  # pixels: a figure from that width on has a row of the page for itself
WIDEST = 1.2  # where the axis of differences of shares ends
INK = "#010203"  # stands for the page's text colour until the SVG is written
BLUE, ORANGE, GREEN = "#3b82f6", "#f97316", "#10b981"
TEN = ["#3b82f6", "#f97316", "#10b981", "#ec4899", "#8b5cf6", "#a16207", "#06b6d4", "#ef4444", "#84cc16", "#94a3b8"]

matplotlib.use("svg")
matplotlib.rcParams.update({
    "svg.fonttype": "none", "font.size": 9, "font.sans-serif": ["DejaVu Sans"],  # else every text names ten fonts
    "axes.spines.top": False, "axes.spines.right": False,
    "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.titlesize": 10, "legend.frameon": False, "axes.grid": False, "figure.constrained_layout.use": True,
})  # fmt: skip


def curves(histories: Mapping[str, pd.DataFrame], column: str, y_label: str, printed: Mapping[str, float] | None = None) -> str:
    """One line a training over its epochs. Of shallow and deep nets the net tells the colour, the optimizer the dashes.

    A history with a column `seed` is of several trainings, which have one colour.
    printed: values that the book has for the end of a training, as short lines on the right.
    """
    figure, axes = _axes(5.2, 3.4)
    chapter = all(name.startswith(("shallow", "deep")) for name in histories)
    for place, (name, history) in enumerate(histories.items()):
        colour = (ORANGE if name.startswith("deep") else BLUE) if chapter else _colour(place)
        style = "--" if chapter and name.endswith("sgd") else "-"
        trainings = [rows for _, rows in history.groupby("seed")] if "seed" in history else [history]
        for number, rows in enumerate(trainings):
            marker = None if len(rows) >= 20 else "s" if style == "--" else "o"
            axes.plot(rows["epoch"], rows[column], style, color=colour, marker=marker, markersize=3,
                      lw=1 if len(trainings) > 1 else None, label=None if number else name)  # fmt: skip
        if printed and name in printed:
            axes.plot([1.0, 1.04], [printed[name]] * 2, color=colour, lw=2, transform=axes.get_yaxis_transform(), clip_on=False)
    axes.set(xlabel="epoch", ylabel=y_label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _legend(axes, 2)
    return _svg(figure, f"{y_label} over the epochs of {', '.join(histories)}")


def curves_of_shown(
    histories: Mapping[str, pd.DataFrame], column: str, y_label: str, printed: Mapping[str, float] | None = None
) -> list[str]:
    """`curves` of those trainings that have `column`, which needs images kept for curves; no figure when none has."""
    shown = {name: history for name, history in histories.items() if column in history}
    return [curves(shown, column, y_label, printed)] if shown else []


def learning_curve(tables: Mapping[str, pd.DataFrame], printed: Mapping[str, float]) -> str:
    """Accuracy over the number of training images: mean and standard error over the seeds, each seed a dot."""
    figure, axes = _axes(5.2, 3.6)
    for place, (name, table) in enumerate(tables.items()):
        groups = table.groupby("images")["accuracy"]
        axes.errorbar(
            groups.mean().index,
            groups.mean(),
            yerr=groups.sem().fillna(0),
            color=_colour(place),
            marker="o",
            markersize=4,
            capsize=3,
            label=name,
        )
        axes.plot(table["images"], table["accuracy"], ".", color=_colour(place), alpha=0.4, lw=0)
        if name in printed:
            axes.plot(table["images"].max(), printed[name], "_", color=_colour(place), markersize=14)
    if printed.keys() & tables.keys():
        axes.plot([], [], "_", color=INK, markersize=14, label="printed")
    axes.set(xscale="log", xlabel="training images", ylabel="accuracy on the test images")
    counts = sorted(set().union(*(table["images"] for table in tables.values())))
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    _legend(axes, 3)
    return _svg(figure, f"accuracy over the number of training images of {', '.join(tables)}")


def parallel(table: pd.DataFrame, result: str, lower_is_better: bool = False) -> str:
    """A grid search as parallel coordinates: one line a combination, coloured by `result`, the (first) best one thick."""
    names = [name for name in table.columns if name not in (result, "loss", "accuracy", "holdout_loss", "holdout_accuracy")]
    table = table.assign(**{name: _comparable(table[name]) for name in names})
    figure, axes = _axes(5.4, 3.2)
    values = table[result]
    span = max(values.max() - values.min(), 1e-9)
    thick = values.argmin() if lower_is_better else values.argmax()
    places = {name: {value: place for place, value in enumerate(sorted(table[name].unique()))} for name in names}
    for number, row in enumerate(table.to_dict("records")):
        height = (row[result] - values.min()) / span
        share = 1 - height if lower_is_better else height
        heights = [places[name][row[name]] / max(len(places[name]) - 1, 1) for name in names]
        best = number == thick
        axes.plot(range(len(names) + 1), [*heights, height], color=ORANGE if best else BLUE, lw=2.4 if best else 1,
                  alpha=1 if best else 0.25 + 0.6 * share, zorder=3 if best else 2)  # fmt: skip
    for place, name in enumerate(names):
        axes.axvline(place, color=INK, lw=0.6)
        for value, height in places[name].items():
            shown = value if isinstance(value, str) else f"{value:g}"
            axes.text(place + 0.04, height / max(len(places[name]) - 1, 1), shown, va="bottom", fontsize=8)
    axes.axvline(len(names), color=INK, lw=0.6)
    for height, value in ((0, values.min()), (1, values.max())):
        axes.text(len(names) + 0.04, height, f"{value:.3f}", va="center", fontsize=8)
    axes.set_xticks(range(len(names) + 1), [*names, result.replace("_", " ")])
    axes.set(yticks=[], ylim=(-0.08, 1.12), xlim=(-0.1, len(names) + 0.45))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _svg(figure, f"{result.replace('_', ' ')} of every combination of {', '.join(names)}")


def _comparable(values: pd.Series) -> list[Any]:
    """Numbers as they are; if some are none (words, lists, nothing), all as text."""
    if all(isinstance(value, int | float) and not pd.isna(value) for value in values):
        return values.tolist()
    return ["none" if value is None or value != value else str(value) for value in values]


def losses(table: pd.DataFrame) -> str:
    """Every column over the steps, logarithmic."""
    figure, axes = _axes(5.2, 3.2)
    for place, name in enumerate(table.columns.drop("epoch")):
        axes.plot(table["epoch"], table[name].where(table[name] > 0), color=_colour(place), label=name.replace("_", " "))
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    _legend(axes, 4)
    return _svg(figure, f"losses over the steps: {', '.join(table.columns.drop('epoch'))}")


def histograms(table: pd.DataFrame) -> list[str]:
    """Shares of the pixel values of each channel, one figure for each `stage` of the table."""
    svgs = []
    for stage, rows in table.groupby("stage", sort=False):
        figure, axes = _axes(5.2, 2.6)
        for (channel, values), colour in zip(rows.groupby("channel", sort=False), (TEN[7], GREEN, BLUE), strict=True):
            axes.step(values["value"], values["share"], where="post", color=colour, label=channel)
        axes.set(xlabel=f"pixel value, {stage}", ylabel="share")
        _legend(axes, 3)
        svgs.append(_svg(figure, f"pixel values, {stage}"))
    return svgs


def confusion(percent: np.ndarray, classes: Sequence[str], title: str) -> str:
    """Row-normalised confusion matrix with its percentages; rows are the true classes."""
    n = len(classes)
    figure, axes = _axes(0.42 * n + 1.5, 0.36 * n + 1.1)
    shares = np.nan_to_num(percent)
    for (row, column), value in np.ndenumerate(shares):
        if value:
            colour = to_rgba(BLUE, 0.9 * value / 100)
            axes.add_patch(matplotlib.patches.Rectangle((column - 0.5, row - 0.5), 1, 1, color=colour, lw=0))
        axes.text(column, row, f"{value:.0f}" if n > 4 else f"{value:.1f}", ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), xlabel="predicted", ylabel="true")
    figure.suptitle(title, fontsize="medium")
    axes.set_xticks(range(n), classes, rotation=40 if n > 2 else 0, ha="right" if n > 2 else "center")
    axes.set_yticks(range(n), classes)
    axes.tick_params(length=0)
    return _svg(figure, f"{title}: confusion matrix in percent of the true class")


def roc(points: pd.DataFrame, hard: tuple[float | None, float | None], auc: float | None, auc_hard: float | None) -> str:
    """ROC curve of a two-class network, and the one point that its hard labels are; what is undefined is not drawn."""
    figure, axes = _axes(4.2, 3.8)
    areas = ["undefined" if area is None else f"{area:.4f}" for area in (auc, auc_hard)]
    axes.plot(points["fpr"], points["tpr"], color=BLUE, label=f"from probabilities, AUC {areas[0]}")
    corners = np.array([[0, hard[0], 1], [0, hard[1], 1]], float)
    axes.plot(*corners, ":", color=ORANGE, marker="o", markersize=4, label=f"from hard labels, AUC {areas[1]}")
    axes.plot([0, 1], [0, 1], "-", color=INK, lw=0.5)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
    _legend(axes, 1)
    return _svg(figure, "ROC curve")


def bars(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    y_label: str,
    marks: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """Bars side by side for each group, none where a value is; `marks` are short lines across those of that name."""
    figure, axes = _axes(5.4, 3.4)
    width = 0.8 / len(series)
    for place, (name, values) in enumerate(series.items()):
        left = np.arange(len(groups)) - 0.4 + place * width
        axes.bar(left, np.array(values, float), width * 0.94, align="edge", color=_colour(place), label=name)
        if marks and name in marks:
            axes.hlines(marks[name], left, left + width * 0.94, color=INK, lw=1.6)
    if marks and marks.keys() & series.keys():
        axes.plot([], [], color=INK, lw=1.6, label="printed")
    axes.set_xticks(
        range(len(groups)), groups, rotation=30 if len(groups) > 4 else 0, ha="right" if len(groups) > 4 else "center"
    )
    axes.set_ylabel(y_label)
    _legend(axes, 3)
    return _svg(figure, f"{y_label} of {', '.join(series)} by {', '.join(groups)}")


def scatter(points: pd.DataFrame, title: str) -> str:
    """A t-SNE layout, one colour a class."""
    figure, axes = _axes(5.0, 4.4)
    for place, (name, group) in enumerate(points.groupby("class")):
        colour = _colour(int(str(name)) if str(name).isdigit() else place)
        axes.scatter(group["x"], group["y"], s=5, color=colour, lw=0, label=str(name), rasterized=True)
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(False)
    axes.legend(markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.1)
    return _svg(figure, title)


def repeats(tables: Mapping[str, pd.DataFrame], printed: Mapping[str, tuple[float, float]]) -> str:
    """Every repeat's accuracy as a dot, mean and standard error as a bar, the printed ones beside it."""
    figure, axes = _axes(5.4, 0.42 * len(tables) + 1.1)
    first_printed = next((name for name in tables if name in printed), None)
    for place, (name, table) in enumerate(tables.items()):
        values = table["accuracy"]
        error = np.nan_to_num(table[["accuracy"]].sem().item())
        axes.plot(values, [place] * len(values), "o", color=BLUE, alpha=0.45, markersize=5, lw=0)
        axes.errorbar(values.mean(), place, xerr=error, fmt="|", color=BLUE, markersize=12, capsize=3,
                      label="ours, with standard error" if place == 0 else None)  # fmt: skip
        if name in printed:
            axes.errorbar(printed[name][0], place + 0.26, xerr=printed[name][1], fmt="|", color=ORANGE, markersize=9,
                          capsize=3, label="printed, with standard error" if name == first_printed else None)  # fmt: skip
    axes.set_yticks(range(len(tables)), tables)
    axes.set(ylim=(len(tables) - 0.4, -0.6), xlabel="accuracy")
    axes.axvline(0.5, color=INK, lw=0.5)
    axes.legend(ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))  # long names leave little room to the right
    return _svg(figure, "accuracy of every repeat")


def costs(table: pd.DataFrame) -> str:
    """A row a training: its operations, and beside them the accuracy they led to."""
    figure = Figure(figsize=(5.4, 0.9 + 0.24 * len(table)))
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, column in ((left, "petaflop"), (right, "accuracy")):
        axes.plot(table[column], range(len(table)), "o", color=BLUE, markersize=5)
        axes.grid(axis="y", color=INK, alpha=0.12)
    left.set_yticks(range(len(table)), table["name"])
    left.set(xscale="log", xlabel="operations, in units of 10¹⁵", ylim=(len(table) - 0.4, -0.6))
    decades = np.log10(table["petaflop"].min()) - 0.05, np.log10(table["petaflop"].max()) + 0.05
    left.set_xlim(10 ** np.floor(decades[0]), 10 ** np.ceil(decades[1]))  # both ends have a label
    left.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    left.xaxis.set_minor_formatter(NullFormatter())  # of less than a decade they would run into one another
    right.set(xlabel="accuracy on the test images")
    right.tick_params(left=False)
    return _svg(figure, "operations of each training, and the accuracy it led to")


def effects(table: pd.DataFrame, colours: Mapping[str, str]) -> str:
    """Differences of shares with their intervals, one a row; behind each a bar from its column `from` to `to`.

    colours: of each value of the column `verdict`.
    """
    figure, axes = _axes(7.2, 0.9 + 0.24 * len(table))
    axes.set_xscale("symlog", linthresh=0.02, linscale=0.6)
    for place, row in enumerate(table.to_dict("records")):
        axes.plot([row["from"], row["to"]], [place] * 2, color=INK, alpha=0.12, lw=8, solid_capstyle="butt")
        axes.plot([row["low"], row["high"]], [place] * 2, color=colours[row["verdict"]], lw=2)
        axes.plot([row["effect"]], [place], "o", color=colours[row["verdict"]], markersize=4.5)
    for name, colour in colours.items():
        axes.plot([], [], "o-", color=colour, markersize=4.5, label=name)
    axes.axvline(0, color=INK, lw=0.6)
    points = (1, 5, 20, 50)
    axes.set_xticks([0, *(sign * point / 100 for sign in (-1, 1) for point in points)])
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+g}" if value else "0")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(range(len(table)), table["name"])
    axes.set(xlabel="difference, percentage points", xlim=(-WIDEST, WIDEST), ylim=(len(table) - 0.4, -0.6))
    _legend(axes, len(colours))
    return _svg(figure, f"{len(table)} differences with 95 % intervals")


def _colour(place: int) -> str:
    return TEN[place % len(TEN)]


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _legend(axes: Axes, columns: int) -> None:
    """Above the axes, where no line runs through it."""
    axes.legend(ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _svg(figure: Figure, description: str) -> str:
    """The figure as one <svg> element without size, date or random ids, in the page's ink."""
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": description}):
        figure.savefig(stream, format="svg", transparent=True, dpi=150,
                       metadata={"Date": None, "Creator": None, "Format": None, "Type": None})  # fmt: skip
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    width = figure.get_figwidth() * PIXELS_PER_INCH
    size = "large" if width >= LARGE else "small"
    about = f'class="{size}" role="img" aria-label="{label}" style="max-width: {width:.0f}px"'
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', about, text, count=1)
