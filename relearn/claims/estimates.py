"""A difference with its standard error, by the test that fits what there is of it; how far it is from a claim's boundary."""

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from relearn.scoring import scores

LEVEL = 0.05
POWER = 0.8
MOST = 1_000_000  # trainings, or images, that are still named

Unit = Literal["trainings", "repeats", "images"]  # repeats: trainings that start from one network


@dataclass(frozen=True)
class Estimate:
    """A difference, normal with this standard error, or t-distributed with `freedom` degrees of freedom.

    error: infinite where nothing tells it, and then there is no `test`. n: of units, the smaller one of two. spread: the
    deviation of one, so that the error with n units is spread / sqrt(n). exact: p of no difference, where a test gives it by
    counting; the interval is approximate, so the two may disagree near 5 %. right: for a single share, how many of the n images
    are right: then p and interval are exact, and agree.
    """

    test: str
    effect: float
    error: float
    n: int
    unit: Unit
    freedom: float = math.inf
    spread: float = 0.0
    exact: float | None = None
    right: int | None = None
    comparisons: int = 1  # of which this one was picked as the weakest
    note: str = ""

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval."""
        if self.right is not None:
            low, high = stats.binomtest(self.right, self.n).proportion_ci(method="exact")
            return float(low), float(high)
        half = float(stats.t.ppf(1 - LEVEL / 2, self.freedom)) * self.error
        return self.effect - half, self.effect + half

    def depth(self, region: tuple[float, float]) -> float:
        """How far inside `region` the effect lies, from its nearer boundary; negative outside."""
        return min(self.effect - region[0], region[1] - self.effect)

    def p(self, region: tuple[float, float]) -> float:
        """Two-sided p of an effect on the nearer boundary of `region`: twice the smaller tail."""
        boundaries = [each for each in region if self.right is None or 0 <= each <= 1]  # a share is on no other
        if not boundaries:
            return 0.0
        nearer = min(boundaries, key=lambda boundary: abs(self.effect - boundary))
        if self.right is not None:
            tails = stats.binom(self.n, nearer)
            return min(1.0, 2 * float(min(tails.cdf(self.right), tails.sf(self.right - 1))))
        if self.exact is not None and not nearer:
            return self.exact
        if not self.error:
            return float(self.effect == nearer)
        return float(2 * stats.t.sf(abs(self.effect - nearer) / self.error, self.freedom))

    def needed(self, region: tuple[float, float], level: float = LEVEL) -> int | None:
        """How many units with an effect and spread as observed pass the test at `level` with a probability of 80 %.

        More than there are; None where it is beyond all reason, for a single share, whose error depends on where it lies, and for
        repeats, since more of them say nothing of another network to start from.
        """
        if self.right is not None or self.unit == "repeats" or math.isinf(self.error):
            return None
        more = range(self.n + 1, MOST + 1)
        place = bisect.bisect_left(more, POWER, key=lambda n: self.power(n, region, level))
        return more[place] if place < len(more) else None

    def power(self, n: int, region: tuple[float, float], level: float) -> float:
        """The probability that n units with this effect and spread pass: on the claim's side of each boundary, or beyond one."""
        freedom = self.freedom * (n - 1) / (self.n - 1)
        quantile = stats.t.ppf(1 - level / 2, freedom)
        depth = self.depth(region)
        gaps = (
            [gap for gap in (self.effect - region[0], region[1] - self.effect) if math.isfinite(gap)] if depth > 0 else [-depth]
        )
        passed = [stats.nct.sf(quantile, freedom, gap * math.sqrt(n) / self.spread) for gap in gaps]
        return float(sum(passed) - len(passed) + 1)


def welch(first: tuple[float, float, int], second: tuple[float, float, int]) -> Estimate:
    """Welch's t of two samples, each as mean, standard deviation and n."""
    (one, s1, n1), (two, s2, n2) = first, second
    v1, v2 = s1**2 / n1, s2**2 / n2
    error = math.sqrt(v1 + v2)
    freedom = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1)) if error else math.inf
    note = f"{n1} and {n2} trainings" if n1 != n2 else ""
    return Estimate("Welch's t", one - two, error, min(n1, n2), "trainings", freedom, error * math.sqrt(min(n1, n2)), note=note)


def of_values(values: Sequence[float] | np.ndarray, test: str) -> Estimate:
    """Student's t of one sample."""
    n, spread = len(values), float(np.std(values, ddof=1))
    return Estimate(test, float(np.mean(values)), spread / math.sqrt(n), n, "trainings", n - 1, spread)


def mcnemar(first: np.ndarray, second: np.ndarray) -> Estimate:
    """McNemar's exact test of two classifiers on the same images, bool (N) each: which are right.

    The interval is Agresti and Min's (2005): half an image more in each of the four counts.
    """
    counted = scores.mcnemar(first, second)
    only_first, only_second, n = counted["only_first_right"], counted["only_second_right"], len(first)
    b, c, total = only_first + 0.5, only_second + 0.5, n + 2
    error = math.sqrt(b + c - (b - c) ** 2 / total) / total
    effect = (only_first - only_second) / n
    return Estimate("McNemar", effect, error, n, "images", spread=error * math.sqrt(n), exact=float(counted["mcnemar_p"]))


def proportions(first: tuple[float, int], second: tuple[float, int] | None) -> Estimate:
    """Difference of two shares of independent images, each as share and number; or one share, by the exact binomial test.

    The error of two is Agresti and Caffo's (2000): a success and a failure more in each sample.
    """
    share, n = first
    if second is None:
        return Estimate("binomial", share, math.sqrt(share * (1 - share) / n), n, "images", right=round(share * n))
    adjusted = [((share * n + 1) / (n + 2), n + 2) for share, n in (first, second)]
    error = math.sqrt(sum(p * (1 - p) / n for p, n in adjusted))
    fewer = min(n, second[1])
    return Estimate("two shares", share - second[0], error, fewer, "images", spread=error * math.sqrt(fewer))


def holm(ps: Mapping[str, float]) -> dict[str, float]:
    """Holm's correction (1979): each p times the number of those that are not smaller, and never below a smaller one's."""
    corrected: dict[str, float] = {}
    highest = 0.0
    for place, (name, p) in enumerate(sorted(ps.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (len(ps) - place)))
        corrected[name] = highest
    return corrected
