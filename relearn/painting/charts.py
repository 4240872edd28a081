"""Charts as PNG or WebP, of pictures that a network has named."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from relearn.painting.naming import Best
from relearn.photos import photographs

PLOTTED = 12  # pictures in one plot
BLUE, ORANGE = "#3b82f6", "#f97316"


def named(images: list[tuple[str, np.ndarray]], best: list[Best], scores: np.ndarray, path: Path) -> None:
    """A PNG (or WebP, by its name) with a row a picture: its middle square, the best classes, and the scores of all."""
    n = min(len(images), PLOTTED)
    figure = Figure(figsize=(12, 3 * n), layout="constrained")
    axes = figure.subplots(n, 3, squeeze=False, width_ratios=[1, 1.2, 1.6])
    for row, (name, image), rows, all_scores in zip(axes, images, best, scores, strict=False):
        row[0].imshow(image)
        row[0].set_title(photographs.shown(name)[-40:], fontsize=9)
        row[0].set_axis_off()
        _bars(row[1], rows)
        row[2].vlines(range(len(all_scores)), 0, all_scores, color=BLUE, lw=1 if len(all_scores) > 100 else 4)
        index, title, score = rows[0]
        side = ("left", "center", "right")[3 * index // len(all_scores)]  # inwards
        row[2].annotate(f"{index} {title}", (index, score), color=ORANGE, fontsize=8, ha=side, va="bottom")
        row[2].set(xlabel="class", ylabel="score", ylim=(0, 1.12 * score), title=f"all {len(all_scores)} scores")
    if path.suffix == ".webp":
        figure.savefig(path, format="webp", dpi=100)
    else:
        figure.savefig(path, format="png", dpi=100, metadata={"Software": None})


def _bars(axes: Axes, rows: Best) -> None:
    """The best classes' scores, best on top."""
    axes.barh(range(len(rows)), [score for *_, score in rows], color=BLUE)
    axes.set_yticks(range(len(rows)), [title.replace("_", " ")[:24] for _, title, _ in rows])
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xlabel="score", title=f"best {len(rows)}")
