import math
from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

A, B, C = [0.72, 0.73, 0.71, 0.74], [0.69, 0.70, 0.68, 0.72], [0.70, 0.76, 0.69, 0.75]


def trained(results, **accuracies):
    """Networks with an accuracy for each seed from 14 on."""
    for key, values in accuracies.items():
        for seed, value in enumerate(values, 14):
            results.metrics(seed, f"evaluate/{key}", images=10000, accuracy=value)


def needed(first, second, level):
    """The n of each of two groups with which a two-sided t test of a difference as theirs has a power of 80 %."""
    (one, s1), (two, s2) = ((np.mean(each), np.std(each, ddof=1)) for each in (first, second))
    share = (s1**2 + s2**2) ** 2 / (s1**4 + s2**4)  # of Welch's degrees of freedom in n - 1
    away = (one - two) / math.hypot(s1, s2)
    return next(
        n for n in range(len(first) + 1, 999)
        if stats.nct.sf(stats.t.ppf(1 - level / 2, share * (n - 1)), share * (n - 1), math.sqrt(n) * away) >= 0.8
    )  # fmt: skip


def test_a_claim_holds_by_welchs_test_over_the_seeds(results):
    trained(results, a=A, b=B)
    found = results.verdict()
    expected = stats.ttest_ind(A, B, equal_var=False)
    assert (found.verdict, found.test, found.n, found.unit) == ("holds", "Welch's t", 4, "trainings")
    assert found.effect == pytest.approx(0.0275)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.decide_at is None


def test_a_claim_of_the_opposite_does_not_hold(results):
    trained(results, a=B, b=A)
    assert results.verdict().verdict == "does not hold"
    assert results.verdict(says="below").verdict == "holds"


def test_an_undecided_claim_names_the_n_that_would_decide(results):
    trained(results, a=C, b=B)
    found = results.verdict()
    assert (found.verdict, found.decide_at) == ("undecided", needed(C, B, 0.05))


def test_seeds_with_data_in_common_are_paired_where_there_are_six(results):
    first, second = [*C, 0.71, 0.74], [*B, 0.69, 0.71]
    trained(results, a=first, b=second)
    found = results.verdict(paired=True)
    assert (found.test, found.n) == ("paired t", 6)
    assert found.p == pytest.approx(stats.ttest_rel(first, second).pvalue)
    trained(results, c=first[:5], d=second[:5])
    assert results.verdict(first="evaluate/c.accuracy", second="evaluate/d.accuracy", paired=True).test == "Welch's t"


def test_a_margin_is_the_boundary(results):
    trained(results, a=A, b=B)
    assert results.verdict(margin=0.0005).verdict == "holds"
    assert results.verdict(margin=0.02).verdict == "undecided"
    assert results.verdict(margin=0.1).verdict == "does not hold"
    expected = stats.ttest_ind(np.subtract(A, 0.02), B, equal_var=False).pvalue
    assert results.verdict(margin=0.02).p == pytest.approx(expected)


@pytest.mark.parametrize(("margin", "target", "verdict"), [
    (0.06, 0.0, "holds"), (0.05, 0.0, "undecided"), (0.02, 0.0, "undecided"), (0.0005, 0.0, "does not hold"),
    (0.03, 0.0275, "holds"),
    (0.03, 0.15, "does not hold"),
])  # fmt: skip
def test_no_difference_needs_an_interval_within_the_margin_and_not_merely_a_high_p(results, margin, target, verdict):
    """The interval is that of the first test, .0009 to .0541."""
    trained(results, a=A, b=B)
    assert results.verdict(says="within", margin=margin, target=target).verdict == verdict


def test_a_claim_of_one_number_is_students_test(results):
    trained(results, a=A)
    found = results.verdict(first="evaluate/a.accuracy", margin=0.7)
    assert (found.test, found.verdict) == ("Student's t", "holds")
    assert found.p == pytest.approx(stats.ttest_1samp(A, 0.7).pvalue)


def test_one_training_each_on_the_same_images_is_mcnemars_test(results):
    results.scored(14, "a", "cc " * 30 + "dd " * 40 + "dd " * 9 + "cd " * 1 + "cd " * 20)
    results.scored(14, "b", "cc " * 30 + "dd " * 40 + "dc " * 9 + "cc " * 1 + "cd " * 20)
    found = results.verdict()
    assert (found.test, found.verdict, found.n, found.unit) == ("McNemar", "holds", 100, "images")
    assert found.effect == pytest.approx(0.08)
    assert found.p == pytest.approx(2 * (1 + 10) / 2**10)
    assert found.note == ""


def test_mcnemars_test_of_a_class_counts_its_images_only(results):
    results.scored(14, "a", "dd " * 9 + "cc " * 30 + "cd " * 5)
    results.scored(14, "b", "dc " * 9 + "cd " * 30 + "cd " * 5)
    found = results.verdict(first="evaluate/a.accuracy_d", second="evaluate/b.accuracy_d")
    assert (found.test, found.n, found.p) == ("McNemar", 9, pytest.approx(2 / 2**9))


def test_one_training_each_on_other_images_counts_as_two_samples(results):
    results.scored(14, "a", "cc " * 60 + "dc " * 40)
    results.scored(14, "b", "dd " * 40 + "cd " * 60)  # the same images in another order, for all that one can see
    found = results.verdict()
    assert found.test == "two shares"
    assert found.p == pytest.approx(2 * stats.norm.sf(0.2 / math.sqrt((61 * 41 + 41 * 61) / 102**3)))


def test_without_predictions_one_training_each_counts_as_two_samples(results):
    trained(results, a=[0.75], b=[0.72])
    found = results.verdict()
    assert (found.test, found.verdict, found.n) == ("two shares", "holds", 10000)


def test_two_classes_of_one_network_are_two_samples(results):
    results.scored(14, "a", "cc " * 90 + "cd " * 10 + "dd " * 60 + "dc " * 40)
    found = results.verdict(first="evaluate/a.accuracy_c", second="evaluate/a.accuracy_d")
    assert (found.test, found.verdict, found.n) == ("two shares", "holds", 100)


def test_seeds_that_all_agree_are_judged_by_their_images(results):
    trained(results, a=[0.75, 0.75], b=[0.72, 0.72])
    assert results.verdict().test == "two shares"


def test_one_seed_against_several_is_judged_by_the_one_that_both_have(results):
    trained(results, a=[0.8, 0.81, 0.82])
    results.metrics(15, "evaluate/b", images=10000, accuracy=0.72)
    found = results.verdict()
    assert (found.test, found.effect) == ("two shares", pytest.approx(0.09))


def test_a_claim_without_results_is_not_yet_run(results):
    trained(results, a=A)
    found = results.verdict(note="of a chapter")
    assert found.verdict == "not yet run"
    assert astuple(found)[3:9] == ("", None, None, None, None, None)
    assert found.note == "of a chapter"


def test_of_several_pairs_the_weakest_decides_and_is_named(results):
    trained(results, a=A, b=B, c=C)
    found = results.verdict(first="evaluate/a.accuracy", second=["evaluate/b.accuracy", "evaluate/c.accuracy"])
    assert found.verdict == "undecided"
    assert "the weakest of 2: evaluate/a.accuracy against evaluate/c.accuracy" in found.note
    assert found.effect == pytest.approx(0.0)


def test_a_claim_of_several_pairs_is_not_yet_run_while_one_is_missing(results):
    trained(results, a=A, b=B)
    found = results.verdict(first="evaluate/a.accuracy", second=["evaluate/b.accuracy", "evaluate/none.accuracy"])
    assert found.verdict == "not yet run"


def test_one_of_several_pairs_refutes_a_claim_only_after_bonferronis_correction(results):
    trained(results, a=B, b=A, c=B)
    several = ["evaluate/b.accuracy", "evaluate/c.accuracy"]
    expected = stats.ttest_ind(A, B, equal_var=False).pvalue
    assert results.verdict().p == pytest.approx(expected)
    assert results.verdict(first="evaluate/a.accuracy", second=several).p == pytest.approx(2 * expected)


def test_claims_of_one_family_are_corrected_together_and_others_are_not(results):
    trained(results, a=A, b=B, c=C)
    results.claim("one")
    results.claim("two", second="evaluate/c.accuracy", first="evaluate/a.accuracy")
    results.claim("alone", family="another")
    results.claim("later", first="evaluate/none.accuracy", family="another")
    found = results.verdicts()
    p = stats.ttest_ind(A, B, equal_var=False).pvalue
    assert found["one"].p == pytest.approx(2 * p)
    assert f"p = {p:.2g} before the correction for 2 tests" in found["one"].note
    assert found["alone"].p == pytest.approx(2 * p), "what is not run yet counts"
    assert list(found) == ["one", "two", "alone", "later"]
    assert found["later"].p is None


def test_a_correction_can_leave_undecided_what_would_hold_alone(results):
    trained(results, a=A, b=B)
    for key in ("a", "b", "c", "d"):
        results.claim(key)
    found = results.verdicts()["a"]
    assert (found.verdict, found.decide_at) == ("undecided", needed(A, B, 0.05 / 4))
    assert results.verdict().verdict == "holds"


def test_a_slope_of_one_training_is_told_and_left_undecided(results):
    losses = [1.0, 0.5, 0.4, 0.42, 0.41, 0.45, 0.46, 0.44, 0.5]
    results.table(14, "history/a", "epoch,loss", *(f"{epoch},{loss}" for epoch, loss in enumerate(losses, 1)))
    found = results.verdict(first="history/a.loss[3:9]", curve="slope")
    assert (found.verdict, found.test, found.n, found.unit, found.p) == ("undecided", "", 1, "trainings", None)
    assert found.effect == pytest.approx(stats.linregress(range(3, 10), losses[2:]).slope)
    assert found.note == "no test of one training: needs two; so far as claimed"
    assert "so far not as claimed" in results.verdict(first="history/a.loss[3:9]", curve="slope", says="below").note


def test_what_cannot_be_tested_yet_is_among_the_tests_of_its_family(results):
    trained(results, a=A, b=B)
    results.table(14, "history/a", "epoch,loss", "1,0.5", "2,0.4", "3,0.2")
    results.claim("curve", first="history/a.loss[1:3]", curve="slope")
    results.claim("seeds")
    found = results.verdicts()
    assert (found["curve"].verdict, found["curve"].low, found["curve"].high) == ("undecided", None, None)
    assert found["seeds"].p == pytest.approx(2 * stats.ttest_ind(A, B, equal_var=False).pvalue)


def test_slopes_of_several_trainings_are_students_test(results):
    slopes = [0.01, 0.02, 0.015]
    for seed, slope in enumerate(slopes, 14):
        results.table(seed, "history/a", "epoch,loss", *(f"{epoch},{slope * epoch}" for epoch in range(1, 9)))
    found = results.verdict(first="history/a.loss[3:8]", curve="slope")
    assert (found.test, found.n) == ("Student's t", 3)
    assert found.p == pytest.approx(stats.ttest_1samp(slopes, 0).pvalue)
    assert not found.share


def test_curves_of_one_training_each_are_told_and_left_undecided(results):
    curves = {"a": [0.9, 0.5, 0.7, 0.4, 0.8], "b": [0.9, 0.6, 0.61, 0.6, 0.62]}
    for key, values in curves.items():
        results.table(14, f"history/{key}", "epoch,val_error", *(f"{epoch},{value}" for epoch, value in enumerate(values, 1)))
    measures = {"first": "history/a.val_error[3:5]", "second": "history/b.val_error[3:5]"}
    level = results.verdict(**measures)
    assert (level.verdict, level.p) == ("undecided", None)
    assert level.effect == pytest.approx((0.7 + 0.4 + 0.8) / 3 - (0.61 + 0.6 + 0.62) / 3)
    steps = results.verdict(**measures, curve="step")
    assert steps.effect == pytest.approx((0.2 + 0.3 + 0.4) / 3 - (0.01 + 0.01 + 0.02) / 3)
    assert steps.note == "no test of one training each: needs two seeds; so far as claimed"


def test_trainings_of_seeds_that_do_not_overlap_are_undecided_and_say_what_is_missing(results):
    results.metrics(14, "evaluate/a", images=1000, accuracy=0.8)
    results.metrics(15, "evaluate/b", images=1000, accuracy=0.7)
    found = results.verdict()
    assert (found.verdict, found.effect) == ("undecided", pytest.approx(0.1))
    assert found.note == "no test of one training each: needs two seeds; so far as claimed"


def test_noise_of_rounding_is_no_spread(results):
    """The differences are .01 each but for 6e-17."""
    trained(results, a=[0.93, 0.94, 0.91], b=[0.92, 0.93, 0.90])
    found = results.verdict(paired=True)
    assert (found.test, found.unit) == ("Welch's t", "trainings")
    trained(results, a=[0.93, 0.94, 0.91] * 2, b=[0.92, 0.93, 0.90] * 2)
    found = results.verdict(paired=True)
    assert (found.test, found.unit) == ("two shares", "images")
    for seed, loss in enumerate([0.93, 0.94, 0.91] * 2, 14):
        results.metrics(seed, "train/a", loss=loss)
        results.metrics(seed, "train/b", loss=loss - 0.01)
    found = results.verdict(first="train/a.loss", second="train/b.loss", paired=True)
    assert (found.verdict, found.p, found.note) == ("undecided", None, "no test without spread; so far as claimed")


def with_t(t, n):
    """n losses whose t against 0 is `t`."""
    values = np.linspace(-1, 1, n)
    return values + t * stats.sem(values)


def lossy(results, **losses):
    for key, values in losses.items():
        for seed, value in enumerate(values, 14):
            results.metrics(seed, f"train/{key}", loss=float(value))


def test_the_weakest_pair_has_the_greatest_p_and_not_the_smallest_t(results):
    """t = 3.0 of 2 degrees of freedom has p = .095, t = 2.6 of 18 has .018."""
    lossy(results, few=with_t(3.0, 3), many=with_t(2.6, 19))
    found = results.verdict(first=["train/few.loss", "train/many.loss"])
    assert (found.verdict, found.n) == ("undecided", 3)
    assert found.p == pytest.approx(2 * stats.t.sf(3.0, 2))


def test_of_the_pairs_against_a_claim_the_one_with_the_smallest_p_counts_and_is_corrected(results):
    lossy(results, few=with_t(-3.0, 3), many=with_t(-2.6, 19), good=with_t(9.0, 5))
    found = results.verdict(first=["train/few.loss", "train/many.loss", "train/good.loss"])
    assert (found.verdict, found.n) == ("undecided", 19)
    assert found.p == pytest.approx(3 * 2 * stats.t.sf(2.6, 18))


def test_the_n_that_would_refute_one_of_several_pairs_has_bonferronis_correction_too(results):
    trained(results, a=B, b=C, c=[value - 0.2 for value in B])
    assert results.verdict().decide_at == needed(C, B, 0.05)
    several = results.verdict(first="evaluate/a.accuracy", second=["evaluate/b.accuracy", "evaluate/c.accuracy"])
    assert (several.verdict, several.decide_at) == ("undecided", needed(C, B, 0.05 / 2))


def test_images_of_one_training_that_do_not_decide_name_how_many_would(results):
    """(1.96 + .84)^2 (.75 x .25 + .747 x .253) / .003^2"""
    trained(results, a=[0.75], b=[0.747])
    found = results.verdict()
    assert (found.verdict, found.unit) == ("undecided", "images")
    assert found.decide_at == pytest.approx(2.8016**2 * (0.75 * 0.25 + 0.747 * 0.253) / 0.003**2, rel=0.001)
