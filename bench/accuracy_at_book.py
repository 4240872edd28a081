"""The pairs of bench/accuracy.py at the chapter's own scale, which take 40 minutes: measured only when named."""

from typing import Any

from bench import accuracy
from bench.accuracy import Size, table

__all__ = ["measure", "table"]


FULL = Size("book", 3)


def measure(size: Size = FULL) -> dict[str, Any]:
    """As accuracy.measure."""
    return accuracy.measure(size)
