"""Rows of the table in docs/performance.md, and figures as text."""

from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """What was measured, against what, the figure, and what was aimed at."""

    what: str
    against: str
    figure: str
    goal: str = ""


def times(ratio: Mapping[str, float]) -> str:
    """A ratio with its spread: 2.10 x (2.05-2.20); of one repeat without."""
    spread = f" ({ratio['lowest']:.2f}-{ratio['highest']:.2f})" if ratio["lowest"] < ratio["highest"] else ""
    return f"{ratio['median']:.2f} x{spread}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
