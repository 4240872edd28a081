from pathlib import Path

import pytest
import yaml

from relearn import checks
from relearn.params.base import ParamsError
from relearn.report import printed
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows: [{id: K1, what: x, printed: 0.5}]", r"printed\.yaml: rows\.0\.metric: is missing$"),
        ("rows:\n  - {id: K1, what: x\n", r"printed\.yaml, line 3, column 1: .*: close the bracket"),
    ],
)
def test_a_mistake_in_the_printed_numbers_is_told(params_with, tmp_path: Path, text, message):
    (tmp_path / "printed.yaml").write_text(text)
    with pytest.raises(ParamsError, match=message):
        printed.load(params_with({}), tmp_path / "printed.yaml")


@pytest.mark.parametrize("folder", ["", "photos"])
def test_every_printed_number_has_its_experiment(folder, monkeypatch):
    monkeypatch.chdir(ROOT / folder)
    rows = yaml.safe_load(Path("printed.yaml").read_text())["rows"]
    assert [row.metric for row in printed.load(checks.load())] == [row["metric"] for row in rows]


def test_a_printed_row_of_an_experiment_that_was_taken_out_is_left_out(params_with, tmp_path: Path):
    (tmp_path / "printed.yaml").write_text("rows: [{id: K1, what: x, printed: 0.5, metric: evaluate/no.accuracy}]")
    assert printed.load(params_with({}), tmp_path / "printed.yaml") == []
