"""The two sides of a changed plot drawn for comparison: in one figure where they are curves, else next to each other."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from relearn.report import figures
from relearn.review.changes import Plot
from relearn.scoring import scores

PICTURES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
    ".svg": "image/svg+xml",
}  # fmt: skip
TEXTS = ("actual", "predicted", "class", "classifier", "stage", "channel")  # columns of names: a class may be called 7 or NA
SIDES = ("base", "now")
COLOURS = {"base": figures.BLUE, "now": figures.ORANGE}
ROC_COLUMNS = 3


@dataclass(frozen=True)
class Card:
    """One picture of the page: an <svg>, or a `data:` address."""

    caption: str  # empty where the picture has its title in it
    svg: str = ""
    image: str = ""


@dataclass(frozen=True)
class Drawing:
    """A changed file under plots/. missing: the sides, `base` and `now`, whose data are not here."""

    path: str
    cards: list[Card] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    reason: str = ""  # why a file of a kind that is drawn could not be


def draw(plot: Plot) -> Drawing:
    """What shows the change of a file under plots/; no cards for a kind of file that is not drawn."""
    contents = dict(zip(SIDES, (plot.base, plot.now), strict=True))
    if missing := [side for side, content in contents.items() if content.missing]:
        return Drawing(plot.path, missing=missing)
    try:
        return Drawing(plot.path, cards(plot.path, {side: each.data for side, each in contents.items() if each.data is not None}))
    except Exception as error:  # a file that cannot be drawn, whatever is in it, is no reason to withhold the review
        return Drawing(plot.path, reason=f"{type(error).__name__}: {error}")


def cards(path: str, sides: dict[str, bytes]) -> list[Card]:
    """The figures or pictures of a file, by its suffix."""
    place = PurePosixPath(path)
    if kind := PICTURES.get(place.suffix.lower()):
        return [Card(side, image=f"data:{kind};base64,{base64.b64encode(data).decode()}") for side, data in sides.items()]
    if place.suffix == ".csv":
        tables = {side: table(data) for side, data in sides.items()}
        return list(drawn(place.stem, {side: rows for side, rows in tables.items() if len(rows)}))
    return []


def table(data: bytes) -> pd.DataFrame:
    """A CSV file whose columns of names stay texts."""
    names = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    numbers = [column for column in names.columns if column not in TEXTS]
    return names.assign(**{column: pd.to_numeric(names[column], errors="coerce") for column in numbers})


def drawn(title: str, sides: dict[str, pd.DataFrame]) -> Iterator[Card]:
    """The figures for the columns that the tables have, as the project's stages write them."""
    if not sides:
        return
    columns = set.intersection(*(set(rows.columns) for rows in sides.values()))
    if {"actual", "predicted", "percent", "classifier"} <= columns:
        for classifier in sorted(set().union(*(rows["classifier"] for rows in sides.values()))):
            for side, rows in sides.items():
                yield from confusion(f"{classifier}, {side}", rows[rows["classifier"] == classifier])
    elif {"actual", "predicted"} <= columns:
        for side, rows in sides.items():
            yield from confusion(f"{title}, {side}", rows)
    elif {"fpr", "tpr"} <= columns:
        yield Card("ROC: base dashed, now solid", roc(sides))
    elif {"x", "y", "class"} <= columns:
        for side, rows in sides.items():
            yield Card(side, figures.scatter(rows, f"{title}, {side}"))
    elif {"stage", "channel", "value", "share"} <= columns:
        for pair in zip(*map(figures.histograms, sides.values()), strict=False):
            yield from (Card(side, svg) for side, svg in zip(sides, pair, strict=True))
    elif {"repeat", "images", "accuracy"} <= columns:
        yield Card("base and now", figures.learning_curve(sides, {}))
    elif {"repeat", "accuracy"} <= columns:
        yield Card("base and now", figures.repeats(sides, {}))
    elif {"holdout_accuracy", "holdout_loss"} <= columns:
        for side, rows in sides.items():
            yield Card(side, figures.parallel(rows, "holdout_accuracy"))
    elif over := next((column for column in ("epoch", "step") if column in columns), None):
        measured = [str(column) for column in next(iter(sides.values())).columns if column in columns and column != over]
        losses = [column for column in measured if "accuracy" not in column and "error" not in column]
        shares = [column for column in measured if "accuracy" in column] or [column for column in measured if "error" in column]
        for group in filter(None, (losses, shares)):
            yield Card("base dashed, now solid", curves(sides, over, group))


def confusion(title: str, rows: pd.DataFrame) -> Iterator[Card]:
    """A confusion matrix in percent of the true class, from one row an image or from a column `percent`."""
    classes = sorted(set(rows["actual"]) | set(rows["predicted"]))
    if not classes:
        return
    if "percent" in rows:
        percent = rows.pivot_table("percent", "actual", "predicted").reindex(index=classes, columns=classes).to_numpy()
    else:
        places = {name: place for place, name in enumerate(classes)}
        labels, guesses = (rows[column].map(places).to_numpy() for column in ("actual", "predicted"))
        percent = scores.row_percent(scores.confusion(labels, guesses, len(classes)))
    yield Card("", figures.confusion(percent, classes, title))


def curves(sides: dict[str, pd.DataFrame], over: str, columns: Sequence[str]) -> str:
    """Each column over the epochs or steps, one colour a column."""
    figure, axes = figures._axes(4.4, 3.2)
    for place, column in enumerate(columns):
        for side, rows in sides.items():
            axes.plot(
                rows[over], rows[column], _dashes(side), color=figures._colour(place),
                marker="o" if len(rows) < 20 else None, markersize=3, label=f"{column}, {side}",
            )  # fmt: skip
    axes.set(xlabel=over, ylabel=", ".join(columns))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend()
    return figures._svg(figure, f"{', '.join(columns)} over {over} of base and now")


def roc(sides: dict[str, pd.DataFrame]) -> str:
    """ROC curves, a panel a class: the curves of ten classes in one panel hide each other."""
    tables = [rows if "class" in rows else rows.assign(**{"class": ""}) for rows in sides.values()]
    classes = sorted(set().union(*(rows["class"] for rows in tables)))
    columns = min(len(classes), ROC_COLUMNS)
    lines = -(-len(classes) // columns)
    figure = Figure(figsize=(4.4, 0.4 + 4.2 * lines / columns))
    for place, name in enumerate(classes):
        axes = figure.add_subplot(lines, columns, place + 1)
        axes.plot([0, 1], [0, 1], color=figures.INK, lw=0.5)
        for side, rows in zip(sides, tables, strict=True):
            points = rows[rows["class"] == name]
            axes.plot(points["fpr"], points["tpr"], _dashes(side), color=COLOURS[side], label=side)
        axes.set(xlim=(-0.01, 1), ylim=(0, 1.02), xticks=(0, 1), yticks=(0, 1), title=name)
        if place == 0:
            axes.legend(loc="lower right", fontsize=8)
    figure.supxlabel("false positive rate", fontsize=9)
    figure.supylabel("true positive rate", fontsize=9)
    return figures._svg(figure, "ROC curves of base and now")


def _dashes(side: str) -> str:
    return "--" if side == "base" else "-"
