"""Rows of the README's table, and figures as text."""

from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """What was measured, against what, the figure, and what was aimed at."""

    what: str
    against: str
    figure: str
    goal: str = ""


def times(found: Mapping[str, float]) -> str:
    """A ratio with its spread: 2.10 x (2.05-2.20)."""
    return f"{found['median']:.2f} x ({found['lowest']:.2f}-{found['highest']:.2f})"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
