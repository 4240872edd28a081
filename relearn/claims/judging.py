"""A verdict for each claim: holds, does not hold, undecided, or not yet run."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from relearn.claims import estimates, numbers, schema
from relearn.claims.estimates import LEVEL, Estimate, Unit
from relearn.claims.numbers import Line, Numbers, Share
from relearn.claims.schema import Claim

HOLDS, FAILS, UNDECIDED, MISSING = VERDICTS = "holds", "does not hold", "undecided", "not yet run"
PAIRS = 3  # seeds in common with which a paired test loses less by its fewer degrees of freedom than it gains


@dataclass(frozen=True)
class Verdict:
    """A claim and what our runs say to it.

    effect, low, high: the difference in the units of its metric and its 95 % interval. n: of `unit`. p: two-sided, of an effect
    on the nearer boundary of `region`, Holm's correction within the family made. decide_at: for an undecided one the n of
    `unit` that would decide.
    """

    id: str
    chapter: str
    claim: str
    test: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    p: float | None = None
    verdict: str = MISSING
    note: str = ""
    decide_at: int | None = None
    unit: Unit | None = None
    where: str = ""
    region: tuple[float | None, float | None] = (None, None)  # of the effect, if the claim holds; None: open


def verdicts(results: Path, file: Path = schema.FILE) -> list[Verdict]:
    """A verdict for each claim of `file`, in its order. ParamsError for a mistake in it."""
    claims = schema.read(file)
    found = {key: weakest(results, claim) for key, claim in claims.items()}
    tested = {key: estimate for key, estimate in found.items() if estimate}
    families: dict[str, dict[str, float]] = defaultdict(dict)
    for key, estimate in tested.items():
        families[family(claims[key])][key] = chance(estimate, claims[key])
    corrected = {key: p for group in families.values() for key, p in estimates.holm(group).items()}
    return [
        verdict(key, claim, tested[key], corrected[key], families[family(claim)]) if key in tested else missing(key, claim)
        for key, claim in claims.items()
    ]


def family(claim: Claim) -> str:
    """The name of the claims that are corrected together."""
    return claim.family or claim.chapter


def missing(key: str, claim: Claim) -> Verdict:
    """The verdict without numbers."""
    return Verdict(key, claim.chapter, claim.claim, note=claim.note, where=claim.where, region=bounded(claim))


def bounded(claim: Claim) -> tuple[float | None, float | None]:
    """The region of a claim, None for what is infinite."""
    low, high = (boundary if math.isfinite(boundary) else None for boundary in claim.region)
    return low, high


def verdict(key: str, claim: Claim, estimate: Estimate, p: float, group: Mapping[str, float]) -> Verdict:
    """The verdict on an estimate whose corrected p is given. group: uncorrected p of its family."""
    inside = estimate.depth(claim.region) > 0
    says = UNDECIDED if p >= LEVEL else HOLDS if inside else FAILS
    raw = f"p = {group[key]:.2g} before the correction for {len(group)} tests" if len(group) > 1 else ""
    needed = estimate.needed(claim.region, LEVEL / len(group)) if says == UNDECIDED else None
    low, high = estimate.interval
    return Verdict(
        key, claim.chapter, claim.claim, estimate.test, estimate.effect, low, high, estimate.n, p, says,
        "; ".join(filter(None, (claim.note, estimate.note, raw))), needed, estimate.unit, claim.where, bounded(claim),
    )  # fmt: skip


def chance(estimate: Estimate, claim: Claim) -> float:
    """Uncorrected p. Of several pairs any one can refute a claim: then Bonferroni's correction for their number."""
    p = estimate.p(claim.region)
    return p if estimate.depth(claim.region) > 0 else min(1.0, p * len(claim.pairs))


def weakest(results: Path, claim: Claim) -> Estimate | None:
    """The estimate that speaks most against a claim, or least for it; None when something of it was not run."""
    if claim.confused:
        return estimated(*numbers.of_confusions(results, claim.first[0], claim.confused, claim.images), claim, same=False)
    found = []
    for first, second in claim.pairs:
        one = numbers.read(results, first, claim)
        two = numbers.read(results, second, claim) if second else None
        estimate = estimated(one, two, claim, on_the_same(first, second))
        if estimate is None:
            return None
        pair = first if second is None else f"{first} against {second}"
        named = f"the weakest of {len(claim.pairs)}: {pair}" if len(claim.pairs) > 1 else ""
        found.append(replace(estimate, note="; ".join(filter(None, (named, estimate.note)))))
    return min(found, key=lambda estimate: support(estimate, claim.region))


def on_the_same(first: str, second: str | None) -> bool:
    """Whether two measures are about the same images: not those of training and test, nor of two classes."""
    kinds, files = ({part(measure) for measure in (first, second or first)} for part in (kind, file_of))
    return "train" not in kinds and (len(files) > 1 or kinds == {"history"})


def kind(measure: str) -> str:
    """`evaluate` of `evaluate/lenet.accuracy`."""
    return measure.partition("/")[0]


def file_of(measure: str) -> str:
    """`evaluate/lenet` of `evaluate/lenet.accuracy`."""
    return measure.partition(".")[0]


def support(estimate: Estimate, region: tuple[float, float]) -> float:
    """Standard errors from the boundary into the region."""
    depth = estimate.depth(region)
    return depth / estimate.error if estimate.error else math.copysign(math.inf, depth) if depth else 0.0


def estimated(first: Numbers, second: Numbers | None, claim: Claim, same: bool) -> Estimate | None:
    """The difference by the spread over trainings; with one training, or no spread, by its images or epochs.

    same: both are about the same images, if any. None without numbers, or with a single one that has nothing behind it.
    """
    if not first.n or (second is not None and not second.n):
        return None
    if min(first.n, second.n if second else first.n) > 1:
        estimate = over_trainings(first, second, claim.paired)
        if estimate.error:
            return estimate
    seed = min(first.behind.keys() & (second or first).behind.keys(), default=None)
    if seed is None:
        return None
    return of_one(first.behind[seed], second.behind[seed] if second else None, same)


def over_trainings(first: Numbers, second: Numbers | None, paired: bool) -> Estimate:
    """Student's or Welch's t; paired by what both have in common where there is enough."""
    if second is None:
        if first.summary:
            return replace(estimates.welch(first.summary, (0.0, 0.0, first.n)), test="Student's t", freedom=first.n - 1, groups=1)
        return estimates.of_values(list(first.trainings.values()), "Student's t", "trainings")
    common = sorted(first.trainings.keys() & second.trainings.keys())
    if paired and len(common) >= PAIRS:
        differences = [first.trainings[each] - second.trainings[each] for each in common]
        return estimates.of_values(differences, "paired t", "trainings")
    return estimates.welch(*((each.mean, each.deviation, each.n) for each in (first, second)))


def of_one(first: Share | Line | np.ndarray, second: Share | Line | np.ndarray | None, same: bool) -> Estimate | None:
    """The estimate of one training, or one of each, with a note of what it leaves out."""
    if isinstance(first, Share) and (second is None or isinstance(second, Share)):
        return of_shares(first, second, same)
    if isinstance(first, Line) and second is None:
        test, freedom = "slope over epochs", first.epochs - 2
        estimate = Estimate(test, first.slope, first.error, first.epochs, "epochs", freedom)
    elif isinstance(first, np.ndarray) and second is None:
        estimate = estimates.of_values(first, "t of epochs", "epochs")
    elif isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        estimate = estimates.of_steps(first, second)
    else:
        return None
    return replace(estimate, note="one training each, and epochs depend on each other: p is too small")


def of_shares(first: Share, second: Share | None, same: bool) -> Estimate:
    """Shares of images by one training each: McNemar where they are the same images and each answer is kept."""
    note = "one training each, whose spread is not in it"
    if second and first.right is not None and second.right is not None and first.identity == second.identity:
        return replace(estimates.mcnemar(first.right, second.right), note=note)
    estimate = estimates.proportions((first.value, first.images), (second.value, second.images) if second else None)
    unpaired = "; as of two samples, since which images each got right is not kept" if same and second else ""
    return replace(estimate, note=note + unpaired)
