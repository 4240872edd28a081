"""The report's page: rows, figures and galleries put into one self-contained HTML file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2


@dataclass(frozen=True)
class Section:
    """One heading of the page with its sentence and whichever pictures it has."""

    id: str
    title: str
    text: str
    svgs: list[str] = field(default_factory=list)
    sheet: str = ""  # one picture as wide as the page
    pixels: bool = False  # the sheet's pixels are shown as squares when it is enlarged
    pictures: list[dict[str, str]] = field(default_factory=list)  # image (a data: address), caption
    table: list[dict[str, str]] = field(default_factory=list)  # rows of the same columns, folded away
    table_title: str = "Classification report"
    gallery: list[dict[str, Any]] = field(default_factory=list)


def render(
    results: Mapping[str, Any], figures: list[Section], timings: Mapping[str, float], columns: tuple[str, ...], n_stages: int,
    made_with: Mapping[str, str],
) -> str:  # fmt: skip
    """The page as HTML that asks nothing of a network. Run times and versions stand here only, not in results."""
    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    templates = jinja2.Environment(loader=folder, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    book = results["scale"] == "book"
    rows = [row | texts(row, counts=book or row["metric"].endswith(".parameters")) for row in results["rows"]]
    return templates.get_template("page.html.j2").render(
        results={**results, "rows": rows},
        scale=results["scale"],
        digest=results.get("digest", ""),  # of results/book, on its page
        figures=figures,
        sections=[(section.id, section.title) for section in figures] + ([("times", "Where the time went")] if timings else []),
        timings=timings,
        made_with=made_with,
        columns=[column for column in columns if any(column in row for row in results["experiments"].values())],
        run_time=f"{duration(sum(timings.values()))}, the sum of {len(timings)} of {n_stages} stages",
    )


def texts(row: Mapping[str, Any], counts: bool = True) -> dict[str, str]:
    """printed, got and difference of a row as people read them: counts whole, their means with one decimal, shares with 3 or 4.

    counts: whether a difference of two counts says something, since they are not of fewer images.
    """
    printed, got = row["printed"], row["got"]
    count = None if printed is None else _is_count(printed)
    difference = ""
    if printed is not None and got is not None and (counts or not count):
        difference = change(got - printed, 0 if count else 3)
    return {
        "printed_text": "" if printed is None else with_error(printed, row["printed_error"]),
        "got_text": ("not yet run" if row.get("n") == 0 else "undefined") if got is None
        else with_error(got, row["standard_error"], count),
        "difference_text": difference,
    }  # fmt: skip


def change(difference: float, decimals: int = 3) -> str:
    """`+0.012`; what rounds to nothing is `0.000`."""
    return f"{difference:+,.{decimals}f}" if round(difference, decimals) else f"{0:.{decimals}f}"


def with_error(value: float, error: float | None, count: bool | None = None) -> str:
    """`0.7010 ± 0.0030`, of counts `5,702.4 ± 31.6`; a bare `0.7010` or `5,702` without an error.

    count: whether it is a count, or a mean of counts; None: as the value looks.
    """
    whole = _is_count(value) if count is None else count
    decimals = (0 if error is None else 1) if whole else 4
    return f"{value:,.{decimals}f}" + ("" if error is None else f" ± {error:,.{decimals}f}")


def duration(seconds: float) -> str:
    """`1 h 02 min`, `8 min 12 s` or `45 s`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _is_count(value: float) -> bool:
    return isinstance(value, int) or (value > 1 and float(value).is_integer())
