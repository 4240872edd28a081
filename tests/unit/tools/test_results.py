"""README's short tables: which numbers share a row, which verdicts are shown."""

from pathlib import Path

from relearn.claims.judging import Verdict
from relearn.claims.kept import Value
from relearn.params import whole
from relearn.report.printed import Row
from tools import results
from tools.results import Line, Stage


def line(identity, what, printed=0.5, ours=None, **more):
    row = Row(id=identity, what=what, metric="evaluate/a.accuracy", printed=printed, **more)
    return Line(row, Path(), Stage("", "", "", ()), "", Value(ours, None, 1) if ours else Value(), None)


def rows(table):
    return [[cell.strip() for cell in each.strip("|\n").split("|")] for each in table[table.find("|") :].strip().splitlines()[2:]]


def test_rows_of_an_id_that_begin_alike_share_one_unless_the_book_gives_errors():
    lines = [
        line("K4", "digits, centroid", 0.25, 0.5), line("K4", "digits, forest", 0.75),
        line("K7", "tuned, none frozen", 0.5, printed_error=0.01), line("K7", "tuned, all frozen", 0.5, printed_error=0.01),
        line("T3", "simple, one: accuracy"), line("T3", "simple, two: accuracy"), line("T3", "a detail", detail=True),
        line("K5", "images", 500.0), line("R6", "ours only", None, 0.5),
    ]  # fmt: skip
    assert rows(results.headline(lines)) == [
        ["K4", "digits: centroid, forest", "0.2500 / 0.7500", "0.5000 / not yet run", "1 / 0"],
        ["K7", "tuned, none frozen", "0.5000 ± 0.0100", "not yet run", ""],
        ["K7", "tuned, all frozen", "0.5000 ± 0.0100", "not yet run", ""],
        ["T3", "simple, one: accuracy", "0.5000", "not yet run", ""],
        ["T3", "simple, two: accuracy", "0.5000", "not yet run", ""],
    ]


def test_the_rows_of_readme_are_told_by_what_came_of_them():
    lines = [
        line("K1", "shallow, one: accuracy", 0.49, 0.5), line("K1", "deep", 0.515, 0.5), line("K2", "low", 0.516, 0.5),
        line("K3", "high", 0.4, 0.5), line("K4", "detail", 0.4, 0.5, detail=True), line("K6", "count", 40.0, 50.0),
        line("L1", "flowers", 0.9),
    ]  # fmt: skip
    told = results.outcomes(lines).splitlines()[-4:]
    assert told == [
        "- **Within 0.015 of the book**: K1 shallow, one (+0.010); K1 deep (-0.015).", "- **Higher**: K3 high (+0.100).",
        "- **Lower**: K2 low (-0.016).", "- **Not yet run**: L1 flowers.",
    ]  # fmt: skip


def test_a_row_tells_the_difference():
    assert results.cells(line("K1", "shallow", 0.49, 0.5))[2:6] == ("0.4900", "0.5000", "1", "+0.010")


def test_without_its_trainings_t2_has_no_table(monkeypatch):
    params = whole.read()
    for settings in (params | {"learning_curve": {}}, {key: block for key, block in params.items() if key != "learning_curve"}):
        monkeypatch.setattr(whole, "read", lambda settings=settings: settings)
        assert results.sizes() == ""


def verdict(identity, chapter, says, p):
    return Verdict(identity, chapter, f"claim {identity}", effect=0.5, low=0.25, high=0.75, n=1234, p=p, verdict=says,
                   unit="images")  # fmt: skip


def test_readme_shows_the_clearest_verdict_of_each_id_what_does_not_hold_before_what_does(monkeypatch):
    found = [
        verdict("a", "K1", "holds", 1e-9), verdict("b", "K1", "holds", 0.04), verdict("c", "K1", "does not hold", 0.02),
        verdict("d", "K2", "undecided", 0.5), verdict("e", "K3", "holds", 0.03), Verdict("f", "K4", "claim f"),
    ]  # fmt: skip
    names = {"a": "K1. claim a", "c": "K1. claim c", "d": "K2. claim d", "e": "K3. claim e"}
    monkeypatch.setattr(results, "VERDICTS", 3)
    assert [row[1] for row in rows(results.telling(found))] == [names[key] for key in "cde"]
    monkeypatch.setattr(results, "VERDICTS", 4)
    shown = rows(results.telling(found))
    assert [row[1] for row in shown] == [names[key] for key in "acde"]
    assert shown[0] == ["holds (one training)", "K1. claim a", "+0.5000 (+0.2500 to +0.7500)", "1,234 images", "< 0.0001"]
    assert results.telling([found[-1]]) == ""


def test_readme_says_before_its_verdicts_what_n_images_and_several_comparisons_mean():
    about, table = (
        results.telling([verdict("a", "K1", "holds", 1e-9), verdict("b", "K2", "not yet run", None)]).strip().split("\n\n")
    )
    assert table.startswith("| verdict | ")
    assert max(map(len, about.splitlines())) <= 100
    assert about.startswith("Of 2 claims 1 hold, 0 do not hold, 0 are undecided and 1 not yet run. 1 of the 1 decided claims")
    assert "a claim with several comparisons shows its weakest" in about.replace("\n", " ")
