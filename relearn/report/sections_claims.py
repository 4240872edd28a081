"""The report's section on what the chapters claim: a verdict for each claim, from results/book."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from relearn.claims.judging import FAILS, HOLDS, MISSING, UNDECIDED, Verdict
from relearn.report import figures, page
from relearn.report.page import Section

COLOURS = {HOLDS: figures.GREEN, UNDECIDED: figures.BLUE, FAILS: figures.ORANGE}


def build(found: Sequence[Verdict]) -> list[Section]:
    """The section on these verdicts; none without claims."""
    if not found:
        return []
    drawn = [verdict for verdict in found if verdict.p is not None and verdict.share]
    return [
        Section(
            "claims", "Do the chapters' claims hold?",
            f"{counted(found)} Lines are 95 % intervals, grey is where the difference lies if the claim holds; "
            "the scale is wider near 0. "
            "A claim is decided when p is below 5 %, after Holm's correction for all claims of its family. With one "
            "training it is tested on the images (McNemar, shares): another training may decide otherwise. "
            "Losses, and curves of one training, which nothing tests, are in the table alone.",
            [figures.effects(effects(drawn), COLOURS)] if drawn else [],
            table=rows(found), table_title="Every claim, its test and its verdict",
        )
    ]  # fmt: skip


def counted(found: Sequence[Verdict]) -> str:
    """How many claims there are of each verdict, in a sentence."""
    counts = Counter(verdict.verdict for verdict in found)
    single = sum(of_one_training(verdict) for verdict in found)
    told = [f"{counts[HOLDS]} hold", f"{counts[FAILS]} do not hold", f"{counts[UNDECIDED]} are undecided"]
    told += [f"{counts[MISSING]} not yet run"] * bool(counts[MISSING])
    whole = f"Of {len(found)} claims {', '.join(told[:-1])} and {told[-1]}."
    return f"{whole} {single} of the {counts[HOLDS] + counts[FAILS]} decided claims rest on one training each."


def of_one_training(verdict: Verdict) -> bool:
    """Whether a claim is decided by the images of one training each, and so may be otherwise in another."""
    return verdict.unit == "images" and verdict.verdict in (HOLDS, FAILS)


def effects(found: Sequence[Verdict]) -> pd.DataFrame:
    """What the figure shows of claims about shares: an open end is that of the scale."""
    return pd.DataFrame(
        {
            "name": f"{verdict.id.replace('_', ' ')}  {verdict.chapter}",
            "effect": verdict.effect,
            "low": verdict.low,
            "high": verdict.high,
            "from": -figures.WIDEST if verdict.region[0] is None else verdict.region[0],
            "to": figures.WIDEST if verdict.region[1] is None else verdict.region[1],
            "verdict": verdict.verdict,
        }
        for verdict in found
    )


def rows(found: Sequence[Verdict]) -> list[dict[str, str]]:
    """A row a claim, as people read it."""
    return [
        {
            "claim": f"{verdict.chapter}. {verdict.claim}",
            "difference": difference(verdict),
            "claimed": claimed(verdict),
            "test": verdict.test,
            "n": counted_units(verdict),
            "p": probability(verdict.p),
            "verdict": decided(verdict),
        }
        for verdict in found
    ]


def counted_units(verdict: Verdict) -> str:
    """`10,000 images`, `1 training`, nothing for what was not run."""
    if not verdict.n or not verdict.unit:
        return ""
    return f"{verdict.n:,} {verdict.unit if verdict.n > 1 else verdict.unit[:-1]}"


def decided(verdict: Verdict) -> str:
    """`holds (one training)`, `undecided (about 29 trainings would decide)`."""
    if verdict.decide_at:
        return f"{verdict.verdict} (about {verdict.decide_at:,} {verdict.unit} would decide)"
    return verdict.verdict + (" (one training)" if of_one_training(verdict) else "")


def difference(verdict: Verdict) -> str:
    """`+0.0275 (+0.0009 to +0.0541)`: the effect and its 95 % interval, if it has one."""
    if verdict.effect is None or verdict.low is None:
        return "" if verdict.effect is None else page.change(verdict.effect, 4)
    return f"{page.change(verdict.effect, 4)} ({verdict.low:+.4f} to {verdict.high:+.4f})"


def claimed(verdict: Verdict) -> str:
    """`above 0`, `below 0` or `0.12 to 0.18`."""
    low, high = (None if boundary is None else f"{boundary + 0.0:.4g}" for boundary in verdict.region)
    if low and high:
        return f"{low} to {high}"
    return f"above {low}" if low else f"below {high}"


def probability(p: float | None) -> str:
    """Two digits; `< 0.0001` for less."""
    if p is None:
        return ""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"
