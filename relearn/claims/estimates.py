"""A difference with its standard error, by the test that fits what there is of it; how far it is from a claim's boundary."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from relearn.scoring import scores

LEVEL = 0.05
POWER = 0.8
MOST = {"trainings": 10_000, "images": 100_000_000}  # n that is still named

Unit = Literal["trainings", "images", "epochs"]


@dataclass(frozen=True)
class Estimate:
    """A difference, normal with this standard error, or t-distributed with `freedom` degrees of freedom.

    n: of units, the smaller one of two. spread: the deviation of one, so that the error with n units is spread / sqrt(n).
    exact: p of no difference, where a test gives it by counting.
    """

    test: str
    effect: float
    error: float
    n: int
    unit: Unit
    freedom: float = math.inf
    spread: float = 0.0
    groups: int = 1  # samples of n units; each costs a degree of freedom
    exact: float | None = None
    note: str = ""

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval."""
        half = float(stats.t.ppf(1 - LEVEL / 2, self.freedom)) * self.error
        return self.effect - half, self.effect + half

    def depth(self, region: tuple[float, float]) -> float:
        """How far inside `region` the effect lies, from its nearer boundary; negative outside."""
        return min(self.effect - region[0], region[1] - self.effect)

    def p(self, region: tuple[float, float]) -> float:
        """Two-sided p of an effect on the nearer boundary of `region`: below 5 % where the 95 % interval leaves it out."""
        nearer = min(region, key=lambda boundary: abs(self.effect - boundary))
        if self.exact is not None and not nearer:
            return self.exact
        if not self.error:
            return float(self.effect == nearer)
        return float(2 * stats.t.sf(abs(self.effect - nearer) / self.error, self.freedom))

    def needed(self, region: tuple[float, float], level: float = LEVEL) -> int | None:
        """The n with which an effect and spread as observed pass the test at `level` with a probability of 80 %.

        None where it is beyond all reason, or where the units are epochs, whose number is no choice.
        """
        depth = abs(self.depth(region))
        if self.unit == "epochs" or not depth:
            return None
        quantiles = np.array([1 - level / 2, POWER])
        n = max(2, math.ceil((stats.norm.ppf(quantiles).sum() * self.spread / depth) ** 2))
        while n <= MOST[self.unit]:
            freedom = math.inf if math.isinf(self.freedom) else self.groups * (n - 1)
            if n >= (stats.t.ppf(quantiles, freedom).sum() * self.spread / depth) ** 2:
                return n
            n += 1
        return None


def welch(first: tuple[float, float, int], second: tuple[float, float, int]) -> Estimate:
    """Welch's t of two samples, each as mean, standard deviation and n."""
    (one, s1, n1), (two, s2, n2) = first, second
    v1, v2 = s1**2 / n1, s2**2 / n2
    error = math.sqrt(v1 + v2)
    freedom = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1)) if error else math.inf
    note = f"{n1} and {n2} trainings" if n1 != n2 else ""
    return Estimate("Welch's t", one - two, error, min(n1, n2), "trainings", freedom, math.hypot(s1, s2), 2, note=note)


def of_values(values: Sequence[float] | np.ndarray, test: str, unit: Unit) -> Estimate:
    """Student's t of one sample."""
    n, spread = len(values), float(np.std(values, ddof=1))
    return Estimate(test, float(np.mean(values)), spread / math.sqrt(n), n, unit, n - 1, spread)


def of_steps(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Welch's t of the epochs of two curves."""
    one, two = ((float(np.mean(values)), float(np.std(values, ddof=1)), len(values)) for values in (first, second))
    found = welch(one, two)
    return Estimate("Welch's t of epochs", found.effect, found.error, found.n, "epochs", found.freedom)


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
    """Difference of two shares of independent images, each as share and number; or one share.

    The error is Agresti and Caffo's (2000): a success and a failure more in each sample, two of each in a single one.
    """
    added = 1 if second else 2
    variances = []
    for share, n in filter(None, (first, second)):
        p = (share * n + added) / (n + 2 * added)
        variances.append((p * (1 - p), n + 2 * added))
    error = math.sqrt(sum(variance / n for variance, n in variances))
    n = min(n for _, n in filter(None, (first, second)))
    spread = math.sqrt(sum(variance for variance, _ in variances))
    effect = first[0] - second[0] if second else first[0]
    return Estimate("two shares" if second else "one share", effect, error, n, "images", spread=spread)


def holm(ps: Mapping[str, float]) -> dict[str, float]:
    """Holm's correction (1979): each p times the number of those that are not smaller, and never below a smaller one's."""
    corrected: dict[str, float] = {}
    highest = 0.0
    for place, (name, p) in enumerate(sorted(ps.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (len(ps) - place)))
        corrected[name] = highest
    return corrected
