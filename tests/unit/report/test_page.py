from types import MappingProxyType

import pytest

from relearn.report import page


def test_a_row_that_no_book_has_shows_ours_only():
    row = {"printed": None, "printed_error": None, "got": 0.87, "standard_error": None}
    assert page.texts(row) == {"printed_text": "", "got_text": "0.8700", "difference_text": ""}


def test_rows_read_as_people_read_them():
    row = {"printed": 0.7005, "printed_error": 0.00297, "got": 0.6912, "standard_error": 0.01}
    assert page.texts(row) == {
        "printed_text": "0.7005 ± 0.0030",
        "got_text": "0.6912 ± 0.0100",
        "difference_text": "-0.009",
    }
    count = {"printed": 5841.0, "printed_error": None, "got": 5700, "standard_error": None}
    assert page.texts(count) == {"printed_text": "5,841", "got_text": "5,700", "difference_text": "-141"}
    assert page.texts(count, counts=False)["difference_text"] == ""  # of fewer images
    assert page.texts(count | {"got": 5702.4, "standard_error": 31.592}) == {
        "printed_text": "5,841", "got_text": "5,702.4 ± 31.6", "difference_text": "-139"
    }  # fmt: skip
    assert page.texts(count | {"printed": 12.0, "got": 0.0}) == {"printed_text": "12", "got_text": "0", "difference_text": "-12"}
    loss = {"printed": 16.46, "printed_error": None, "got": 12.5, "standard_error": 0.25}
    assert page.texts(loss) == {"printed_text": "16.4600", "got_text": "12.5000 ± 0.2500", "difference_text": "-3.960"}
    undefined = {"printed": 0.5, "printed_error": None, "got": None, "standard_error": None}
    assert page.texts(undefined)["got_text"] == "undefined"
    assert page.texts(undefined | {"printed_error": 0.01})["printed_text"] == "0.5000 ± 0.0100"


@pytest.mark.parametrize(("difference", "decimals", "text"), [
    (0.0124, 3, "+0.012"), (-0.0006, 3, "-0.001"), (0.00049, 3, "0.000"), (-1e-5, 4, "0.0000"), (-0.4, 0, "0"),
    (-1234.4, 0, "-1,234"),
])  # fmt: skip
def test_what_rounds_to_nothing_has_no_sign(difference, decimals, text):
    assert page.change(difference, decimals) == text


@pytest.mark.parametrize(("seconds", "text"), [(4.4, "4 s"), (492, "8 min 12 s"), (3720, "1 h 02 min")])
def test_durations(seconds, text):
    assert page.duration(seconds) == text


def results(rows=(), experiments=MappingProxyType({})):
    return {"scale": "smoke", "seed": 1, "machine": {"precision": "float32", "threads": 1, "kernels": "x"},
            "rows": list(rows), "experiments": dict(experiments)}  # fmt: skip


MADE_WITH = {"Python": "3"}


@pytest.mark.parametrize(("scale", "shown"), [("book", ["-141", "-9"]), ("smoke", ["-9"])])
def test_counts_of_fewer_images_are_not_subtracted(scale, shown):
    told = {
        "id": "K2",
        "what": "",
        "printed_error": None,
        "standard_error": None,
        "detail": False,
        "backbone": None,
        "printed_with": None,
    }
    rows = [
        told | {"metric": "evaluate/a.tp", "printed": 5841.0, "got": 5700},
        told | {"metric": "train/a.parameters", "printed": 500.0, "got": 491},
    ]
    html = page.render(results(rows=rows) | {"scale": scale}, [], {}, (), 2, MADE_WITH)
    assert [text for text in ("-141", "-9") if f">{text}<" in html] == shown


def test_what_a_name_carries_stays_text_on_the_page():
    row = {"id": "K1", "metric": "a.accuracy", "what": "<script>alert(1)</script>", "printed": 0.5, "printed_error": None,
           "got": 0.5, "standard_error": None, "detail": False, "backbone": None, "printed_with": None}  # fmt: skip
    html = page.render(results(rows=[row]), [page.Section("k1", "K1", "text")], {"train@a": 61.0}, ("accuracy",), 2, MADE_WITH)
    assert "<script>" not in html
    assert "1 min 01 s, the sum of 1 of 2 stages" in html
    assert "Python 3" in html


def test_columns_that_no_experiment_fills_are_left_out():
    html = page.render(
        results(experiments={"a": {"accuracy": 0.5}, "b": {"mcc": 0.25}}), [], {}, ("accuracy", "loss", "mcc"), 2, MADE_WITH
    )
    assert "<th>accuracy</th><th>mcc</th>" in html
    assert "loss" not in html


def test_only_small_pictures_show_their_pixels_as_squares():
    sheets = [page.Section("a", "A", "", sheet="data:a"), page.Section("b", "B", "", sheet="data:b", pixels=True)]
    html = page.render(results(), sheets, {}, (), 2, MADE_WITH)
    assert '<img class="sheet" src="data:a"' in html
    assert '<img class="sheet pixels" src="data:b"' in html
