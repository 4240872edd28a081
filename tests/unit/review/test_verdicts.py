"""A change of a metric is judged by its direction and its noise, and is never hidden."""

import pytest
from scipy.stats import binom

from relearn.data import records
from relearn.review.verdicts import Side, better_when, judge


@pytest.mark.parametrize(
    ("metric", "base", "now", "outcome"),
    [
        ("accuracy", 0.5, 0.6, "better"), ("accuracy", 0.6, 0.5, "worse"),
        ("loss", 1.0, 0.9, "better"), ("loss", 0.9, 1.0, "worse"),
        ("val_error", 0.2, 0.3, "worse"), ("holdout_accuracy", 0.2, 0.3, "better"), ("mcc", -0.1, 0.1, "better"),
        ("mcnemar_p", 0.5, 0.01, "changed"), ("brightness", 1, 2, "changed"), ("accuracy", "good", "bad", "changed"),
        ("accuracy", None, 0.5, "new"), ("loss", 1.0, None, "gone"),
    ],
)  # fmt: skip
def test_higher_accuracy_and_lower_loss_are_better_and_an_unknown_metric_only_changed(metric, base, now, outcome):
    assert judge("experiment", metric, Side({metric: base}), Side({metric: now})).outcome == outcome


def test_every_headline_metric_has_a_direction_or_is_known_to_have_none():
    assert {metric for metric in records.HEADLINE if better_when(metric) is None} == {"standard_error", "mcnemar_p"}


def test_one_training_has_at_least_the_binomial_noise_of_its_test_images():
    base, now = Side({"accuracy": 0.5}, images=1000), Side({"accuracy": 0.54}, images=400)
    verdict = judge("experiment", "accuracy", base, now)
    assert verdict.noise == pytest.approx(2 * (binom(1000, 0.5).var() / 1000**2 + binom(400, 0.54).var() / 400**2) ** 0.5)
    assert verdict.beyond is False
    assert verdict.source == "binomial, 1,000 images and binomial, 400 images"


@pytest.mark.parametrize(("now", "beyond"), [(0.7099, False), (0.7101, True), (0.6901, False), (0.6899, True)])
def test_repeats_change_beyond_the_noise_from_twice_their_combined_standard_error_on(now, beyond):
    base = Side({"accuracy": 0.7, "standard_error": 0.003}, images=10, repeats=6)
    verdict = judge("experiment", "accuracy", base, Side({"accuracy": now, "standard_error": 0.004}, images=10, repeats=6))
    assert verdict.noise == pytest.approx(0.01)  # 3, 4, 5: a right-angled triangle
    assert verdict.beyond == beyond
    assert verdict.source == "6 repeats"
    assert verdict.errors == (0.003, 0.004)


@pytest.mark.parametrize(
    ("metric", "base", "now"),
    [
        ("loss", Side({"loss": 1.0}, images=1000), Side({"loss": 0.5}, images=1000)),
        ("holdout_accuracy", Side({"holdout_accuracy": 0.5}, images=1000), Side({"holdout_accuracy": 0.9}, images=1000)),
        ("accuracy", Side({"accuracy": 0.5}), Side({"accuracy": 0.9}, images=1000)),
        ("accuracy", Side({"accuracy": 0.5, "standard_error": 0.0}), Side({"accuracy": 0.9, "standard_error": 0.0})),
    ],
)
def test_noise_that_is_not_known_is_not_made_up(metric, base, now):
    verdict = judge("experiment", metric, base, now)
    assert (verdict.outcome, verdict.noise, verdict.beyond) == ("better", None, None)
