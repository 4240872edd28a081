import pytest

from relearn.claims.judging import Verdict
from relearn.report import figures, sections_claims

ABOVE = Verdict("a_above_b", "K1", "A is better", "Welch's t", 0.0275, 0.0009, 0.0541, 4, 0.045, "holds",
                unit="trainings", region=(0.0, None))  # fmt: skip
WITHIN = Verdict("alike", "K7", "No difference", "Welch's t", -0.001, -0.03, 0.028, 6, 0.2, "undecided",
                 decide_at=1234, unit="trainings", region=(-0.02, 0.02))  # fmt: skip
CURVE = Verdict("rises", "K1", "The loss rises", "Student's t", 0.001, -0.001, 0.003, 3, 0.3, "undecided",
                unit="trainings", region=(0.0, None), share=False)  # fmt: skip
ONE = Verdict("wanders", "K1", "It wanders", "", 0.001, n=1, verdict="undecided", unit="trainings", region=(0.0, None))
LATER = Verdict("later", "Q1", "Good", region=(0.95, None))
BELOW = Verdict("worst", "R3", "The cat is worst", "two shares", -0.3, -0.4, -0.2, 185, 1e-9, "holds",
                unit="images", region=(None, -0.0))  # fmt: skip
FAILED = Verdict("fails", "K1", "It is", "Welch's t", -0.02, -0.03, -0.01, 4, 0.01, "does not hold",
                 unit="repeats", region=(0.0, None))  # fmt: skip
ALL = [ABOVE, WITHIN, CURVE, LATER, BELOW, ONE, FAILED]


def test_the_section_counts_the_verdicts_and_has_a_row_for_every_claim():
    (section,) = sections_claims.build(ALL)
    assert "Of 7 claims 2 hold, 1 do not hold, 3 are undecided and 1 not yet run. 1 of the 3 decided claims" in section.text
    assert [row["claim"] for row in section.table] == [f"{each.chapter}. {each.claim}" for each in ALL]


def test_what_is_not_yet_run_is_counted_only_where_there_is_some():
    assert sections_claims.counted([ABOVE, BELOW]).startswith("Of 2 claims 2 hold, 0 do not hold and 0 are undecided. 1 of the 2")


def test_a_row_is_read_by_people():
    first, second, _, later, below, one, failed = sections_claims.rows(ALL)
    assert list(first.values()) == ["K1. A is better", "+0.0275 (+0.0009 to +0.0541)", "above 0", "Welch's t", "4 trainings",
                                    "0.045", "holds"]  # fmt: skip
    assert (second["claimed"], second["verdict"]) == ("-0.02 to 0.02", "undecided (about 1,234 trainings would decide)")
    assert (later["difference"], later["claimed"], later["n"], later["p"], later["verdict"]) == (
        "", "above 0.95", "", "", "not yet run")  # fmt: skip
    assert (below["claimed"], below["p"], below["verdict"]) == ("below 0", "< 0.0001", "holds (one training)")
    assert (one["difference"], one["n"], one["p"], one["verdict"]) == ("+0.0010", "1 training", "", "undecided")
    assert (failed["n"], failed["verdict"]) == ("4 repeats", "does not hold")


def test_the_figure_shows_shares_that_were_run_and_neither_losses_nor_claims_without_results():
    (section,) = sections_claims.build(ALL)
    (svg,) = section.svgs
    for each in ALL:
        assert (f">{each.id.replace('_', ' ')}  {each.chapter}<" in svg) == (each in (ABOVE, WITHIN, BELOW, FAILED))
    assert sections_claims.build([LATER])[0].svgs == []


def test_the_figure_is_the_same_bytes_and_takes_the_pages_ink():
    (svg,) = sections_claims.build([ABOVE, WITHIN])[0].svgs
    assert [svg] == sections_claims.build([ABOVE, WITHIN])[0].svgs
    assert figures.INK not in svg
    for name, colour in sections_claims.COLOURS.items():
        assert f">{name}<" in svg
        assert colour in svg


def test_no_claims_make_no_section():
    assert sections_claims.build([]) == []


@pytest.mark.parametrize("found", ALL)
def test_cells_are_text(found):
    assert all(isinstance(cell, str) for cell in sections_claims.rows([found])[0].values())
