"""A review in words: its one-line verdict, numbers and names, put into the templates beside this file."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from relearn.review.changes import Changes
from relearn.review.pairs import Drawing
from relearn.review.verdicts import Verdict

LONGEST = 80  # characters of a value that are shown
PLAIN = re.compile(r"[^\w .,:;/+=@%-]")


def render(template: str, facts: Mapping[str, Any]) -> str:
    """The template with `facts`: HTML escaped by Jinja, Markdown by its filter `code`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=jinja2.select_autoescape(("html.j2",)),
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {"code": code, "text": text, "number": number, "grouped": grouped, "counted": counted, "cell": cell}
    environment.globals |= {
        "headline": headline, "change": change, "judgement": judgement, "value": value, "plot_lists": plot_lists,
    }  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", environment.get_template(template).render(facts)).strip()


def headline(pipelines: Sequence[Changes], base: str) -> str:
    """The review in a line: how many metrics changed for the better, and whether the locks are up to date."""
    verdicts = [verdict for each in pipelines for verdict in each.metrics]
    counts = Counter((verdict.outcome, verdict.beyond) for verdict in verdicts)
    parts = []
    if beyond := [f"{counts[side, True]} {side}" for side in ("better", "worse") if counts[side, True]]:
        parts.append(f"{' and '.join(beyond)} beyond the noise")
    if within := sum(verdict.beyond is False for verdict in verdicts):
        parts.append(f"{within} within the noise")
    if unknown := [f"{counts[side, None]} {side}" for side in ("better", "worse") if counts[side, None]]:
        parts.append(f"{' and '.join(unknown)} of unknown noise")
    if changed := counts["changed", None]:
        parts.append(f"{changed} changed without a known direction")
    parts += [f"{counts[side, None]} {side}" for side in ("new", "gone") if counts[side, None]]
    if parts:
        metrics = f"Metrics: {', '.join(parts)}"
    elif any(each.params or each.plots for each in pipelines):
        metrics = f"No metric differs from {base}"
    else:
        metrics = f"No parameter, metric or plot differs from {base}"
    locks = [
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} {state}"
        for state, names in (
            ("STALE", [each.lock for each in pipelines if each.stale]),
            ("up to date", [each.lock for each in pipelines if not (each.stale or each.gone)]),
        )
        if names
    ]
    return f"{metrics}; {', '.join(locks)}."


def judgement(verdict: Verdict) -> str:
    """`worse, beyond 0.0213 (binomial, 4,000 images)`."""
    if verdict.noise is None:
        return f"{verdict.outcome}, noise unknown" if verdict.outcome in ("better", "worse") else verdict.outcome
    return f"{verdict.outcome}, {'beyond' if verdict.beyond else 'but within'} {number(verdict.noise)} ({verdict.source})"


def change(verdict: Verdict) -> str:
    """The difference with its sign, or nothing where a side is missing or no number."""
    if not all(isinstance(side, int | float) for side in (verdict.base, verdict.now)):
        return ""
    difference = verdict.now - verdict.base
    return ("+" if difference > 0 else "") + number(difference)


def value(verdict: Verdict, side: int) -> str:
    """A side's value, with the standard error of its repeats."""
    shown, error = (verdict.base, verdict.now)[side], verdict.errors[side]
    return number(shown) if error is None or shown is None else f"{number(shown)} ± {error:.4f}"


def number(value: Any) -> str:
    """Four decimals, counts whole, small values with three digits; other things as JSON; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) >= 0.001 or not value else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else text(value)


def text(value: Any, longest: int = LONGEST) -> str:
    """A value of params.yaml as JSON would write it, cut where it gets long."""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    shown = " ".join(shown.split())
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def code(value: Any, longest: int = LONGEST) -> str:
    """A value as Markdown that stays text in a table's cell, whatever is in it; nothing for None."""
    if value is None:
        return ""
    shown = text(value, longest)
    if not shown.strip():
        return "(empty)"
    if not re.search(r"[`|]", shown):  # the two that end a code span or a cell
        return f"`{shown}`"
    return f"<code>{PLAIN.sub(lambda match: f'&#{ord(match[0])};', shown)}</code>"


def cell(shown: str) -> str:
    """A number as it is; a metric that is a text, as `code`."""
    return shown if re.fullmatch(r"[\w.,± +-]*", shown) else code(shown)


def plot_lists(drawings: Sequence[Drawing], page: str) -> list[tuple[str, list[Drawing]]]:
    """The changed plots in up to three lists: drawn, without data here, of a kind that is not drawn."""
    lists = [
        (f"Side by side in {page}", [each for each in drawings if each.cards]),
        (
            "Changed, but their data are not here (`dvc fetch --all-branches` gets them where a remote is set)",
            [each for each in drawings if each.missing],
        ),
        ("Changed, and not of a kind that is drawn", [each for each in drawings if not each.cards and not each.missing]),
    ]
    return [(words, listed) for words, listed in lists if listed]


def grouped(stages: Iterable[str], most: int = 8) -> str:
    """`train (18), evaluate@lenet`: stages of one kind counted, when there are several."""
    kinds: dict[str, list[str]] = {}
    for stage in stages:
        kinds.setdefault(stage.partition("@")[0], []).append(stage)
    parts = [f"{kind} ({len(names)})" if len(names) > 1 else names[0] for kind, names in kinds.items()]
    return ", ".join(parts[:most]) + (f" and {len(parts) - most} kinds more" if len(parts) > most else "")


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
