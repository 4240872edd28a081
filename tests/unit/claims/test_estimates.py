"""Expected values: R's documentation, textbooks' tables, scipy, and sums done by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from relearn.claims import estimates
from relearn.claims.estimates import Estimate

ABOVE = (0.0, math.inf)
# Student's sleep data (1908), R's example for t.test: extra hours of ten patients with each of two drugs.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def summary(values):
    return float(np.mean(values)), float(np.std(values, ddof=1)), len(values)


def test_welchs_test_is_that_of_students_sleep_data():
    found = estimates.welch(summary(FIRST), summary(SECOND))
    assert found.effect / found.error == pytest.approx(-1.8608, abs=5e-5)
    assert found.freedom == pytest.approx(17.776, abs=5e-4)
    assert found.p(ABOVE) == pytest.approx(0.07939, abs=5e-6)
    assert found.interval == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


def test_the_paired_test_is_that_of_students_sleep_data():
    found = estimates.of_values(np.subtract(FIRST, SECOND), "paired t")
    assert found.effect / found.error == pytest.approx(-4.0621, abs=5e-5)
    assert found.p(ABOVE) == pytest.approx(0.002833, abs=5e-7)
    assert found.interval == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)


def test_welchs_test_with_unequal_numbers_is_scipys_and_says_so():
    found = estimates.welch(summary(FIRST), summary(SECOND[:4]))
    expected = stats.ttest_ind(FIRST, SECOND[:4], equal_var=False)
    assert found.p(ABOVE) == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-12)
    assert (found.n, found.note) == (4, "10 and 4 trainings")


def right(only_first: int, only_second: int, both: int):
    """Which images two classifiers got right, 0 both wrong."""
    first = [True] * only_first + [False] * only_second + [True] * both
    second = [False] * only_first + [True] * only_second + [True] * both
    return np.array(first), np.array(second)


def test_mcnemars_p_is_the_binomial_of_the_disagreements_and_its_interval_agresti_and_mins():
    found = estimates.mcnemar(*right(10, 2, 88))
    assert found.effect == pytest.approx(0.08)
    assert found.p(ABOVE) == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert found.error == pytest.approx(math.sqrt(10.5 + 2.5 - 8**2 / 102) / 102)
    assert found.interval == pytest.approx((0.08 - 1.959964 * found.error, 0.08 + 1.959964 * found.error))


def test_mcnemars_p_of_a_margin_is_that_of_its_interval_since_nothing_is_counted_for_it():
    found = estimates.mcnemar(*right(10, 2, 88))
    assert found.p((0.05, math.inf)) == pytest.approx(2 * stats.norm.sf(0.03 / found.error))


def test_two_classifiers_that_agree_on_every_image_differ_by_nothing_with_p_one():
    found = estimates.mcnemar(*right(0, 0, 50))
    assert (found.effect, found.p(ABOVE)) == (0, 1)
    assert found.interval[0] < 0 < found.interval[1]


def test_two_shares_have_agresti_and_caffos_error():
    found = estimates.proportions((56 / 70, 70), (48 / 80, 80))  # the example of Newcombe (1998)
    assert found.effect == pytest.approx(0.2)
    assert found.error == pytest.approx(math.sqrt((57 / 72) * (15 / 72) / 72 + (49 / 82) * (33 / 82) / 82))


def test_one_share_is_the_exact_binomial_test_with_clopper_and_pearsons_interval():
    """388 of 400 against .95: p is twice what is no less than 388, the interval is of the beta distribution."""
    found = estimates.proportions((0.97, 400), None)
    assert found.p((0.95, math.inf)) == pytest.approx(2 * stats.binom.pmf(np.arange(388, 401), 400, 0.95).sum())
    assert found.interval == pytest.approx((stats.beta.ppf(0.025, 388, 13), stats.beta.ppf(0.975, 389, 12)))
    assert (found.effect, found.test) == (0.97, "binomial")


@pytest.mark.parametrize(
    ("share", "boundary", "p"), [(0.5, 1.2, 0), (0.5, -0.2, 0), (1.0, 0.5, 2 / 2**10), (0.0, 0.5, 2 / 2**10)]
)
def test_one_share_is_judged_at_every_boundary(share, boundary, p):
    assert estimates.proportions((share, 10), None).p((boundary, math.inf)) == pytest.approx(p)


def test_p_is_no_more_than_one():
    assert estimates.proportions((0.5, 10), None).p((0.5, math.inf)) == 1


@pytest.mark.parametrize("right", range(926, 975))
def test_one_shares_p_and_interval_agree(right):
    """936 of 1,000 against .95 is one where they do not by the likelihood."""
    found = estimates.proportions((right / 1000, 1000), None)
    assert (found.p((0.95, math.inf)) < 0.05) == (not found.interval[0] <= 0.95 <= found.interval[1])


@pytest.mark.parametrize("region", [(0.0, math.inf), (0.02, math.inf), (-math.inf, -0.05), (-0.02, 0.02), (0.12, 0.18)])
def test_p_is_below_5_percent_where_the_interval_leaves_the_nearer_boundary_out(region):
    for effect in np.linspace(-0.1, 0.3, 81):
        found = Estimate("", float(effect), 0.011, 8, "trainings", 7)
        low, high = found.interval
        assert (found.p(region) < 0.05) == (not any(low <= boundary <= high for boundary in region))


def test_an_effect_without_spread_is_certain_unless_it_is_on_the_boundary():
    assert Estimate("", 0.1, 0.0, 5, "trainings").p(ABOVE) == 0
    assert Estimate("", 0.0, 0.0, 5, "trainings").p(ABOVE) == 1


@pytest.mark.parametrize(("d", "n"), [(0.5, 64), (0.8, 26), (1.0, 17)])
def test_n_of_two_groups_is_that_of_cohens_tables(d, n):
    """Cohen (1988), table 2.4.1: two-sided 5 %, power 80 %."""
    assert Estimate("", d, 0.1, 3, "trainings", 4, math.sqrt(2)).needed(ABOVE) == n


def test_n_of_pairs_is_the_textbooks():
    assert Estimate("", 0.5, 0.1, 3, "trainings", 2, 1.0).needed(ABOVE) == 34


def test_a_stricter_level_needs_more_and_a_nearer_boundary_too():
    found = Estimate("", 0.5, 0.1, 3, "trainings", 2, 1.0)
    usual = found.needed(ABOVE)
    assert usual is not None
    assert (found.needed(ABOVE, 0.01) or 0) > usual
    assert (found.needed((0.2, math.inf)) or 0) > usual


def test_n_of_images_is_the_textbooks():
    """Of two shares .6 and .5, Fleiss: (1.96 + .84)^2 (.6 x .4 + .5 x .5) / .1^2; half as many of each if one has all of both."""
    assert estimates.proportions((0.6, 100), (0.5, 100)).needed(ABOVE) == pytest.approx(2.8016**2 * 0.49 / 0.01, rel=0.02)
    one_is_known = estimates.proportions((0.6, 100), (0.5, 10**8)).needed(ABOVE)
    assert one_is_known == pytest.approx(2.8016**2 * 0.24 / 0.01, rel=0.02)


def test_n_of_mcnemars_images_is_the_textbooks():
    """Connor (1987) of large samples: (1.96 + .84)^2 (p - d^2) / d^2 with p = .2 of disagreements and d = .04."""
    found = estimates.mcnemar(*right(60, 50, 390))
    assert found.needed(ABOVE) == pytest.approx(2.8016**2 * (0.22 - 0.02**2) / 0.02**2, rel=0.02)


def test_n_of_unequal_groups_keeps_their_ratio():
    """With six times as many of the second: (z_.975 + z_.8)^2 (s1^2 + s2^2 / 6) / d^2, and a few for t."""
    found = estimates.welch((0.1, 0.3, 20), (0.0, 0.6, 120))
    expected = 2.8016**2 * (0.09 + 0.36 / 6) / 0.01
    assert expected < (found.needed(ABOVE) or 0) < expected + 3


@pytest.mark.parametrize(("share", "region"), [(0.0, (-0.02, 0.02)), (1.0, (0.95, math.inf)), (0.97, (0.95, math.inf))])
def test_one_share_at_the_end_of_its_range_has_a_p_and_no_n(share, region):
    found = estimates.proportions((share, 400), None)
    assert found.p(region) == pytest.approx(
        {0.0: 2 * 0.98**400, 1.0: 2 * 0.95**400, 0.97: 2 * stats.binom.sf(387, 400, 0.95)}[share]
    )
    assert found.needed(region) is None


def test_n_of_no_difference_has_to_pass_both_boundaries():
    """Julious (2004): (1.96 + 1.28)^2 / .1^2 with z of 90 %, since either boundary may fail half as often."""
    found = Estimate("", 0.0, 0.1, 3, "trainings", 2, 1.0)
    assert found.needed((-0.1, 0.1)) == pytest.approx((1.95996 + 1.28155) ** 2 / 0.01, rel=0.005)


def test_the_power_is_that_of_simulated_trainings():
    random = np.random.default_rng(14)
    passed = [stats.ttest_1samp(random.normal(0.9, 1, 12), 0).pvalue < 0.05 for _ in range(4000)]
    found = Estimate("", 0.9, 0.5, 4, "trainings", 3, 1.0)
    assert found.power(12, ABOVE, 0.05) == pytest.approx(np.mean(passed), abs=0.02)


def test_what_did_not_decide_needs_more_than_there_is():
    """With an effect of five deviations two or three of these would do, were there not ten already."""
    assert Estimate("", 5.0, 1.0 / math.sqrt(10), 10, "trainings", 9, 1.0).needed(ABOVE) == 11


@pytest.mark.parametrize("found", [
    Estimate("", 0.0, 0.1, 3, "trainings", 2, 1.0),
    Estimate("", 1e-9, 0.1, 3, "trainings", 2, 1.0),
    Estimate("", 0.1, math.inf, 1, "trainings"),
    Estimate("", 0.1, 0.1, 6, "repeats", 5, 0.25),  # of which more say nothing of another start
])  # fmt: skip
def test_no_n_is_named_where_none_would_decide(found):
    assert found.needed(ABOVE) is None


def test_holms_correction_is_done_by_hand():
    """.005 x 4, .01 x 3, .03 x 2, and .04 x 1, which is not smaller than the one before."""
    found = estimates.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})


def test_a_corrected_p_is_no_more_than_one():
    assert estimates.holm({"a": 0.6, "b": 0.9}) == {"a": 1, "b": 1}
