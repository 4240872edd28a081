"""The README's table says what the committed report says, and its commands exist."""

import json
import re

import numpy as np
import pytest
import scipy.stats
import yaml

from relearn.report import page
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
RESULTS, PHOTOS = ROOT / "reports/quick/results.json", ROOT / "photos/reports/quick/results.json"


def table() -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in README.splitlines() if re.match(r"\| [KRTQLJ]\d \|", line)]
    return [[cell.strip() for cell in row] for row in rows]


def test_the_readmes_table_is_the_committed_reports():
    both = [json.loads(path.read_text()) for path in (RESULTS, PHOTOS)]
    assert [results["scale"] for results in both] == ["quick", "quick"]
    rows = [row for results in both for row in results["rows"] if not row["detail"]]
    expected = [[row["id"], row["what"], *list(page.texts(row).values())[:2]] for row in rows]
    assert [row[:4] for row in table()] == expected


def at_scale_book(metric: str) -> str:
    """A number of docs/book, with the standard error of repeats or seeds."""
    name, _, column = metric.rpartition(".")
    records = [json.loads(path.read_text()) for path in sorted((ROOT / "docs/book").glob(f"seed_*/{name}.json"))]
    values = [record[column] for record in records]
    if len(values) > 1:
        return f"{page.with_error(np.mean(values), scipy.stats.sem(values))} (n={len(values)})"
    if column == "accuracy" and "standard_error" in records[0]:
        return f"{page.with_error(values[0], records[0]['standard_error'])} (n={records[0]['repeats']})"
    return page.number(values[0])


def test_the_readmes_figures_at_scale_book_are_those_of_docs_book():
    rows = [row for row in json.loads(RESULTS.read_text())["rows"] if not row["detail"]]
    shown = {row["metric"]: cells[4] for row, cells in zip(rows, table(), strict=False) if cells[4]}
    assert len(shown) > 20
    assert shown == {metric: at_scale_book(metric) for metric in shown}
    kept = {path.relative_to(ROOT / "docs/book").with_suffix("").parts[1:] for path in ROOT.glob("docs/book/*/*/*.json")}
    assert {metric.rpartition(".")[0] for metric in shown} == {"/".join(parts) for parts in kept if parts[0] != "train"}


def test_the_metrics_in_git_are_the_committed_reports():
    for path in (RESULTS, PHOTOS):
        for name, row in json.loads(path.read_text())["experiments"].items():
            assert json.loads((path.parents[2] / f"metrics/summary/{name}.json").read_text()) == row


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)", README))))
def test_every_make_target_of_the_readme_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_readmes_experiment_is_a_valid_block(params_with):
    block = re.search(r"```yaml\n(  shallow_adam:.*?)```", README, re.DOTALL)
    assert block
    spec = yaml.safe_load(block[1])["shallow_adam"]
    assert params_with({"train.shallow_adam": spec}).train["shallow_adam"].optimizer.name == "adam"


def test_no_placeholder_is_left():
    assert not re.search(r"@[A-Z]+@", README)
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).is_file()
