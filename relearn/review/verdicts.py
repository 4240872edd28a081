"""Whether a metric changed for the better, and whether by more than its noise."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# A metric that is not here has no direction: its change is shown, and not judged.
BETTER_WHEN: dict[str, Literal["higher", "lower"]] = {
    "accuracy": "higher", "auc": "higher", "auc_hard": "higher", "mcc": "higher", "f1": "higher", "kappa": "higher",
    "informedness": "higher", "markedness": "higher", "tpr": "higher", "tnr": "higher", "ppv": "higher", "npv": "higher",
    "precision": "higher", "recall": "higher",
    "loss": "lower", "error": "lower", "fpr": "lower", "fnr": "lower",
}  # fmt: skip
PARTS = ("holdout_", "val_", "test_", "train_")  # the same metric of other images


@dataclass(frozen=True)
class Side:
    """One experiment's row of the metrics table on one side, and how many test images and repeats are behind it."""

    row: Mapping[str, Any]
    images: int | None = None
    repeats: int | None = None

    def standard_error(self, metric: str) -> tuple[float, str] | None:
        """That of the repeats, else the binomial one of the test images, with its name; None where neither is known."""
        if metric != "accuracy":
            return None
        if (error := self.row.get("standard_error")) is not None:
            return error, f"{self.repeats} repeats" if self.repeats else "repeats"
        share = self.row[metric]
        if self.images and 0 <= share <= 1:
            return math.sqrt(share * (1 - share) / self.images), f"binomial, {self.images:,} images"
        return None


@dataclass(frozen=True)
class Verdict:
    """One changed metric. `noise` is twice the combined standard error of both sides, None where it is not known."""

    experiment: str
    metric: str
    base: Any
    now: Any
    noise: float | None = None
    source: str = ""
    errors: tuple[float | None, float | None] = (None, None)  # standard errors of repeats, base and now

    @property
    def outcome(self) -> str:
        """better, worse, changed (no direction known), new or gone."""
        if self.base is None or self.now is None:
            return "new" if self.base is None else "gone"
        direction = better_when(self.metric)
        if direction is None or not (_is_number(self.base) and _is_number(self.now)) or self.base == self.now:
            return "changed"
        return "better" if (self.now > self.base) == (direction == "higher") else "worse"

    @property
    def beyond(self) -> bool | None:
        """Whether the change is larger than the noise; None where that cannot be told."""
        return None if self.noise is None else abs(self.now - self.base) > self.noise


def judge(experiment: str, metric: str, base: Side, now: Side) -> Verdict:
    """How `metric` of `experiment` changed; either side may lack it."""
    values = base.row.get(metric), now.row.get(metric)
    shown = [side.row.get("standard_error") if metric == "accuracy" else None for side in (base, now)]
    errors = [side.standard_error(metric) for side, value in zip((base, now), values, strict=True) if _is_number(value)]
    known = [error for error in errors if error is not None]
    noise = 2 * math.hypot(*(error for error, _ in known)) if len(known) == 2 else 0.0
    sources = dict.fromkeys(source for _, source in known)
    # Repeats that agree to the last digit say nothing about the noise.
    return Verdict(experiment, metric, *values, noise or None, " and ".join(sources) if noise else "", (shown[0], shown[1]))


def better_when(metric: str) -> Literal["higher", "lower"] | None:
    """The direction of a metric, also as that of other images (`val_loss`); None where it is not known."""
    for part in PARTS:
        metric = metric.removeprefix(part)
    return BETTER_WHEN.get(metric)


def place(metric: str) -> tuple[int, str]:
    """Metrics sorted by this come in the order of BETTER_WHEN, unknown ones at the end."""
    known = list(BETTER_WHEN)
    return known.index(metric) if metric in known else len(known), metric


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
