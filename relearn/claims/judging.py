"""A verdict for each claim: holds, does not hold, undecided, or not yet run."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from relearn.claims import estimates, numbers, schema
from relearn.claims.estimates import LEVEL, Estimate, Unit
from relearn.claims.numbers import SAME, Numbers, Share
from relearn.claims.schema import Claim

HOLDS, FAILS, UNDECIDED, MISSING = "holds", "does not hold", "undecided", "not yet run"
PAIRS = 6  # seeds in common from which on a paired test loses little by its fewer degrees of freedom


@dataclass(frozen=True)
class Verdict:
    """A claim and what our runs say to it.

    effect, low, high: the difference in the units of its metric and its 95 % interval. n: of `unit`. p: two-sided, of an effect
    on the nearer boundary of `region`, Holm's correction within the family made. decide_at: for an undecided one the number of
    units that would decide. low, high and p are None where there is nothing to test by, and `note` says what is missing.
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
    share: bool = True  # of images; else a loss, or a slope


def verdicts(results: Path, file: Path = schema.FILE) -> list[Verdict]:
    """A verdict for each claim of `file`, in its order. ParamsError for a mistake in it."""
    claims = schema.read(file)
    found = {key: weakest(results, claim) for key, claim in claims.items()}
    families: dict[str, dict[str, float]] = defaultdict(dict)
    for key, estimate in found.items():  # what is not run yet counts, too: a verdict must not change by it
        families[family(claims[key])][key] = chance(estimate, claims[key]) if estimate and estimate.test else 1.0
    corrected = {key: p for group in families.values() for key, p in estimates.holm(group).items()}
    return [
        verdict(key, claim, estimate, corrected[key], families[family(claim)])
        if (estimate := found[key])
        else missing(key, claim)
        for key, claim in claims.items()
    ]


def family(claim: Claim) -> str:
    """The name of the claims that are corrected together."""
    return claim.family or claim.chapter


def missing(key: str, claim: Claim) -> Verdict:
    """The verdict without numbers."""
    return Verdict(key, claim.chapter, claim.claim, note=claim.note, where=claim.where, region=bounded(claim), share=claim.share)


def bounded(claim: Claim) -> tuple[float | None, float | None]:
    """The region of a claim, None for what is infinite."""
    low, high = (boundary if math.isfinite(boundary) else None for boundary in claim.region)
    return low, high


def verdict(key: str, claim: Claim, estimate: Estimate, corrected: float, group: Mapping[str, float]) -> Verdict:
    """The verdict on an estimate. corrected: its p after the correction; group: the p of its family before."""
    inside = estimate.depth(claim.region) > 0
    p = corrected if estimate.test else None
    says = UNDECIDED if corrected >= LEVEL else HOLDS if inside else FAILS
    tests = len(group) * (1 if inside else estimate.comparisons)
    raw = f"p = {group[key]:.2g} before the correction for {len(group)} tests" if group[key] < LEVEL <= corrected else ""
    needed = estimate.needed(claim.region, LEVEL / tests) if says == UNDECIDED else None
    low, high = (None, None) if p is None else estimate.interval
    note = "; ".join(filter(None, (claim.note, estimate.note, raw)))
    return Verdict(
        key, claim.chapter, claim.claim, estimate.test, estimate.effect, low, high, estimate.n, p, says, note, needed,
        estimate.unit, claim.where, bounded(claim), claim.share,
    )  # fmt: skip


def chance(estimate: Estimate, claim: Claim) -> float:
    """The p before Holm's correction. Any of several comparisons can refute a claim: then Bonferroni's."""
    p = estimate.p(claim.region)
    return p if estimate.depth(claim.region) > 0 else min(1.0, p * estimate.comparisons)


def weakest(results: Path, claim: Claim) -> Estimate | None:
    """The estimate that speaks most against a claim, or least for it, by p; None when something of it was not run."""
    if claim.confused:
        return of_confusions(numbers.of_confusions(results, claim.first[0], claim.confused, claim.images), claim)
    found = []
    for first, second in claim.pairs:
        one = numbers.read(results, first, claim)
        two = numbers.read(results, second, claim) if second else None
        estimate = estimated(one, two, claim)
        if estimate is None:
            return None
        found.append(picked(estimate, first if second is None else f"{first} against {second}", len(claim.pairs)))
    if against := [estimate for estimate in found if estimate.depth(claim.region) < 0]:
        return min(against, key=lambda estimate: estimate.p(claim.region))
    return max(found, key=lambda estimate: estimate.p(claim.region))


def of_confusions(confusions: Mapping[str, Numbers], claim: Claim) -> Estimate | None:
    """The least frequent of the claim's confusions against the most frequent of all others, both by their means over the seeds.

    A pair for each seed would be of noise: the greatest of many is greater than each of them is on average.
    """
    named = claim.confused or []
    others = [pair for pair in confusions if pair not in named]
    if not others:
        return None
    least, most = min(named, key=lambda pair: confusions[pair].mean), max(others, key=lambda pair: confusions[pair].mean)
    estimate = estimated(confusions[least], confusions[most], claim)
    return picked(estimate, f"{least} against {most}", len(named) * len(others)) if estimate else None


def picked(estimate: Estimate, pair: str, count: int) -> Estimate:
    """The estimate of a pair, one of `count` of which the weakest decides, with a note which it is."""
    named = f"the weakest of {count}: {pair}" if count > 1 else ""
    return replace(estimate, comparisons=count, note="; ".join(filter(None, (named, estimate.note))))


def estimated(first: Numbers, second: Numbers | None, claim: Claim) -> Estimate | None:
    """The difference by the spread over trainings; with one training, or no spread, by its images; else without a test.

    None without numbers.
    """
    if not first.n or (second is not None and not second.n):
        return None
    if min(first.n, second.n if second else first.n) > 1:
        estimate = over_trainings(first, second, claim.paired)
        if estimate.error >= SAME:
            notes = dict.fromkeys((estimate.note, first.note, second.note if second else ""))
            unit: Unit = "repeats" if first.shared or (second and second.shared) else estimate.unit
            return replace(estimate, note="; ".join(filter(None, notes)), unit=unit)
    seed = min(first.behind.keys() & (second or first).behind.keys(), default=None)
    if seed is None:
        return untested(first, second, claim)
    return of_shares(first.behind[seed], second.behind[seed] if second else None)


def untested(first: Numbers, second: Numbers | None, claim: Claim) -> Estimate:
    """A difference that nothing tells the error of: of losses or curves of one training each, or of seeds not in common."""
    n = min(first.n, second.n if second else first.n)
    estimate = Estimate("", first.mean - (second.mean if second else 0.0), math.inf, n, "trainings")
    direction = "as claimed" if estimate.depth(claim.region) > 0 else "not as claimed"
    missing = (
        "no test without spread" if n > 1 else "no test of one training" + (" each: needs two seeds" if second else ": needs two")
    )
    return replace(estimate, note=f"{missing}; so far {direction}")


def over_trainings(first: Numbers, second: Numbers | None, paired: bool) -> Estimate:
    """Student's or Welch's t; paired by what both have in common where there is enough."""
    if second is None:
        return estimates.of_values(list(first.trainings.values()), "Student's t")
    common = sorted(first.trainings.keys() & second.trainings.keys())
    if paired and len(common) >= PAIRS:
        differences = [first.trainings[each] - second.trainings[each] for each in common]
        return estimates.of_values(differences, "paired t")
    return estimates.welch(*((each.mean, each.deviation, each.n) for each in (first, second)))


def of_shares(first: Share, second: Share | None) -> Estimate:
    """Shares of images by one training each: McNemar where they are the same images and each answer is kept."""
    if second and first.right is not None and second.right is not None and first.identity == second.identity:
        return estimates.mcnemar(first.right, second.right)
    return estimates.proportions((first.value, first.images), (second.value, second.images) if second else None)
