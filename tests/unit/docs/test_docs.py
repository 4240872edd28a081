"""README and docs/ hold against the project: tables, links, commands, names, blocks of YAML."""

import html
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import yaml
from dvc.cli.parser import get_main_parser
from markdown_it import MarkdownIt
from markdown_it.token import Token

from relearn import checks
from relearn.claims import judging
from relearn.params.base import Compute
from relearn.process import atomic
from relearn.report import book, printed
from tests.conftest import ROOT
from tools import results

README = (ROOT / "README.md").read_text()
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))}
MAKEFILE = (ROOT / "Makefile").read_text()
PARAMS = {name: yaml.safe_load((ROOT / name).read_text()) for name in ("params.yaml", "photos/params.yaml")}
REPORTS = [ROOT / "reports/quick/results.json", ROOT / "photos/reports/quick/results.json"]
EXAMPLES = {"shallow_adam", "my_photos", "KEY", "…"}  # keys that the reader makes up
FOLDERS_OF_THE_READER = ("pets/",)
SHELL = {"git", "cd", "source", "sed", "dask"}  # besides make, dvc and python, which are looked at


def blocks(page: str) -> list[Token]:
    """What stands on a page, with everything in its lines."""
    tokens = MarkdownIt("commonmark").enable("table").parse(PAGES[page])
    return [token for parent in tokens for token in (parent, *(parent.children or []))]


def links(page: str) -> list[str]:
    return [str(token.attrs.get("href") or token.attrs["src"]) for token in blocks(page) if token.type in ("link_open", "image")]


def spans(page: str) -> list[str]:
    return [token.content for token in blocks(page) if token.type == "code_inline"]


def fences(page: str, language: str) -> list[str]:
    return [token.content for token in blocks(page) if token.type == "fence" and token.info == language]


def anchors(text: str) -> set[str]:
    """GitHub's names of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: str) -> Iterator[list[str]]:
    """Every command of a page, in its console blocks and in its lines, as words."""
    lines = [line[2:] for text in fences(page, "console") for line in text.splitlines() if line.startswith("$ ")]
    for line in [*lines, *(span for span in spans(page) if span.split()[0] in {"make", "dvc", "python", *SHELL})]:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, "&&"]:
            if word in ("&&", "|", ";"):
                yield command
                command = []
            else:
                command.append(word)


EVERY_COMMAND = sorted({(page, tuple(command)) for page in PAGES for command in commands(page)})


def test_the_readme_is_a_page():
    assert len(README.splitlines()) <= 150
    assert len(README.encode()) <= 10_000
    assert [line for line in README.splitlines() if len(line) > 100 and not line.startswith("|")] == []


def test_the_readme_leads_to_every_page():
    assert {name for name in PAGES if name.startswith("docs/")} <= set(links("README.md"))


@pytest.mark.parametrize("page", PAGES)
def test_no_placeholder_is_left(page):
    assert re.findall(r"@[A-Z_]+@", PAGES[page]) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_table_is_rendered_as_one(page):
    shown = {line for token in blocks(page) if token.type in ("table_open", "fence") and token.map for line in range(*token.map)}
    for number, line in enumerate(PAGES[page].splitlines()):
        assert not line.startswith("|") or number in shown, line
    assert not [token for token in blocks(page) if token.type == "text" and "](" in token.content]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for link in links(page):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


# Tables


@pytest.fixture(scope="module")
def lines() -> list[results.Line]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return [line for folder in results.PIPELINES for line in results.read(folder)]


def test_the_tables_are_what_the_tool_writes(lines, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = judging.verdicts(Path("results/book"))
    for name, tables in (("README.md", results.headline(lines) + results.telling(found)),
                         ("docs/results.md", results.everything(lines, found))):  # fmt: skip
        path = ROOT / name
        assert atomic.replaced(path, results.MARKERS, tables) == path.read_text()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_readmes_figures_are_those_of_results_book():
    rows = [row for line in README.splitlines() if re.match(r"\| [A-Z]\d \|", line) for row in apart(cells(line))]
    by_name = {(row.id, row.what): row for path in ("", "photos/") for row in printed.read(ROOT / f"{path}printed.yaml")}
    assert len(rows) > 30
    for identity, what, printed_text, ours, n in rows:
        row = by_name[identity, what]
        assert float(printed_text.partition(" ")[0]) == pytest.approx(row.printed, abs=5.1e-5)
        check_against_the_files(row.metric, ours, n)


def apart(row: list[str]) -> Iterator[list[str]]:
    """The rows of the table that share one of README's: `a: b, c` with two values."""
    identity, what, printed_text, ours, n = row
    if " / " not in ours:
        yield row
        return
    common, _, ends = what.partition(": ")
    names = ends.split(", ")
    counts = [count.removeprefix("0") for count in n.split(" / ")] if " / " in n else [n] * len(names)
    for end, *values in zip(names, printed_text.split(" / "), ours.split(" / "), counts, strict=True):
        yield [identity, f"{common}, {end}", *values]


def check_against_the_files(metric: str, ours: str, n: str) -> None:
    """Whether a number that a reader sees, with its error and n, is that of results/book."""
    name, _, column = metric.rpartition(".")
    folders = [path for path in sorted(ROOT.glob("results/book/seed_*")) if path.name[5:].isdigit()]
    files = [path for folder in folders if (path := folder / f"metrics/{name}.json").is_file()]
    kept = [record for path in files if column in (record := json.loads(path.read_text()))]
    if not kept:
        assert (ours, n) == ("not yet run", "")
        return
    shown = re.fullmatch(r"([\d,.]+)(?: ± ([\d,.]+))?", ours)
    assert shown
    values = [record[column] for record in kept]
    error, count = scipy.stats.sem(values) if len(set(values)) > 1 else None, len(values)
    if len(kept) == 1:
        count = kept[0].get("repeats", 1)
    if column == "accuracy" and "standard_error" in kept[0]:
        if len(kept) == 1:
            error = kept[0]["standard_error"]
        elif "freeze" not in name:  # each training of all seeds; of those of a seed that start from one network, the mean
            tables = [pd.read_csv(path.parents[2] / f"plots/{name}.csv") for path in files]
            rows = [table[table["images"] == table["images"].max()] if "images" in table else table for table in tables]
            values = pd.concat(rows)["accuracy"].tolist()
            error, count = scipy.stats.sem(values), len(values)
    counts = all(isinstance(record[column], int) for record in kept)
    decimals = (0 if error is None else 1) if counts else 4
    for text, value in zip(shown.groups(), (np.mean(values), error), strict=True):
        assert (text is None) == (value is None)
        if text is not None:
            assert len(text.partition(".")[2]) == decimals
            assert float(text.replace(",", "")) == pytest.approx(value, abs=0.51 * 10**-decimals)
    assert n == str(count)


def test_every_kept_score_stands_in_the_tables(lines):
    kept = {
        path.relative_to(ROOT / "results/book").with_suffix("").parts[2:]
        for path in ROOT.glob("results/book/*/metrics/**/*.json")
    }
    scored = {"/".join(parts) for parts in kept if parts[0] not in ("train", "describe", "gather", "transfer", "style_transfer")}
    assert scored <= {line.row.metric.rpartition(".")[0] for line in lines}


def test_the_page_shows_results_book_as_it_is(lines, monkeypatch):
    """Its numbers, and by a hash that all else on it is of the same files."""
    monkeypatch.chdir(ROOT)
    page = results.HTML.read_text()
    assert re.findall(r'<meta name="results" content="(\w+)">', page) == [book.digest()]
    first, folded, *_ = page.split("<tbody>")[1:]
    for part, shown in ((first, False), (folded, True)):
        rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in part.partition("</tbody>")[0].split("<tr")[1:]]
        expected = [line for line in lines if line.row.detail == shown]
        assert [html.unescape(row[1].partition(" <small>")[0]) for row in rows] == [line.row.what for line in expected]
        for row, line in zip(rows, expected, strict=True):
            check_against_the_files(line.row.metric, re.sub(r"</?b>", "", row[3]), row[4])
    told = [re.findall(r"<td>(.*?)</td>", row) for row in page.split("<tr>")]
    verdicts = {html.unescape(row[1]): row[-1].partition(" (")[0] for row in told if len(row) == 8}
    found = judging.verdicts(Path("results/book"))
    assert {f"{each.chapter}. {each.claim}": each.verdict for each in found}.items() <= verdicts.items()


def test_the_metrics_in_git_are_the_committed_reports():
    for path in REPORTS:
        for name, row in json.loads(path.read_text())["experiments"].items():
            assert json.loads((path.parents[2] / f"metrics/summary/{name}.json").read_text()) == row


def test_the_traced_number_is_the_first_row(lines):
    section = README.partition("## Trace a number\n")[2].partition("\n## ")[0]
    first = lines[0]
    assert f"Number: {first.book} above" in section
    assert {f"`{text}`" for text in (first.row.metric, first.stage.target, first.stage.block)} <= set(
        re.findall(r"`[^`]+`", section)
    )


# Commands


@pytest.mark.parametrize(
    ("page", "command"), EVERY_COMMAND, ids=lambda value: " ".join(value) if isinstance(value, tuple) else value
)
def test_every_command_exists(page, command):
    program, *words = command
    if program == "make":
        for word in words:
            name, _, value = word.partition("=")
            assert re.search(rf"\b{name}\b" if value else rf"^{name}:", MAKEFILE, re.MULTILINE), word
    elif program == "dvc":
        get_main_parser().parse_args([word for word in words if word != "..."])  # ends the test when it does not understand
        for number, word in enumerate(words):
            if "@" in word or (words[0] == "repro" and word[0] != "-"):
                assert known(word) if "@" in word else (ROOT / word).exists() or word in STAGES or word == "repro", word
            if words[number - 1] == "-S":
                assert overridden(word), word
    elif program == "python":
        module = words[words.index("-m") + 1] if "-m" in words else ""
        if module not in ("", "pip"):
            flags = [word.partition("=")[0] for word in words[words.index(module) :] if word.startswith("--")]
            assert set(flags) <= set(re.findall(r"--[\w-]+", helped(module)))
    else:
        assert program in SHELL


@cache
def helped(module: str) -> str:
    """What a command says of itself."""
    asked = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "usage: " in asked.stdout
    return asked.stdout


def stage_names() -> Iterator[str]:
    for folder, prefix in (("", ""), ("photos/", "photos/dvc.yaml:")):
        for name, stage in yaml.safe_load((ROOT / f"{folder}dvc.yaml").read_text())["stages"].items():
            keys = PARAMS[f"{folder}params.yaml"][stage["foreach"][2:-1]] if "foreach" in stage else [""]
            yield from (prefix + (f"{name}@{key}" if key else name) for key in keys)


STAGES = set(stage_names())
KINDS = {name.partition("@")[0] for name in STAGES}


def known(stage: str) -> bool:
    """Whether there is the stage; of the photographs' also without their file."""
    kind, _, key = stage.partition("@")
    names = {stage, f"photos/dvc.yaml:{stage}"}
    return bool(names & STAGES) or (key in EXAMPLES and bool({kind, f"photos/dvc.yaml:{kind}"} & KINDS))


def overridden(word: str) -> bool:
    """Whether -S may set this: the key is there, or what it is added to; and a data set uses the recipe that it is in."""
    match = re.fullmatch(r"(~|\+{0,2})(?:([\w/]+\.yaml):)?([\w.]+)(=.*)?", word)
    assert match
    prefix, file, key, _ = match.groups()
    params = PARAMS[file or "params.yaml"]
    section, _, rest = key.partition(".")
    if section == "recipes" and rest.partition(".")[0] not in {spec.get("recipe") for spec in params["datasets"].values()}:
        return False
    return bool(resolve(key if "+" not in prefix else key.rpartition(".")[0], params))


def resolve(key: str, node: Any) -> bool:
    """Whether a dotted key is there."""
    for name in key.split("."):
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]
    return True


# Names


@pytest.mark.parametrize("page", PAGES)
def test_every_file_exists(page):
    metrics = {row.metric for path in ("", "photos/") for row in printed.read(ROOT / f"{path}printed.yaml")}
    paths = {span for span in spans(page) if re.fullmatch(r"\.?[\w.-]+/[\w./-]*", span)} - metrics
    missing = {path for path in paths if not (ROOT / path).exists() and not path.startswith(FOLDERS_OF_THE_READER)}
    ignored = (
        subprocess.run(["git", "check-ignore", *missing], cwd=ROOT, capture_output=True, text=True, check=False)
        if missing
        else None
    )
    assert missing == set(ignored.stdout.split() if ignored else [])


def test_the_tree_is_the_projects():
    lines = [line.partition("  ")[0] for line in fences("README.md", "")[0].splitlines()]
    assert [name for line in lines for name in line.split() if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_key_of_params_yaml_exists(page):
    for span in spans(page):
        assert not span.startswith("-S ") or overridden(shlex.split(span)[1]), span
        section, _, rest = span.partition(".")
        if re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", span) and any(section in params for params in PARAMS.values()):
            optional = section == "compute" and rest in Compute.model_fields
            assert optional or rest in EXAMPLES or any(resolve(span, params) for params in PARAMS.values()), span


@pytest.mark.parametrize("page", PAGES)
def test_every_stage_exists(page):
    for span in spans(page):
        if re.fullmatch(r"(photos/dvc\.yaml:)?[a-z_]+@[\w…]+", span):
            assert known(span), span


def merged(node: Any, change: Any, path: str = "") -> Any:
    """`node` with `change` put into it; backbones and data sets of photographs in place of those that were there."""
    if not isinstance(change, dict) or not isinstance(node, dict) or path in ("backbones.lite0", "datasets", "report.gallery"):
        return change
    return node | {key: merged(node.get(key), value, f"{path}.{key}".lstrip(".")) for key, value in change.items()}


EVERY_BLOCK = [(page, text) for page in PAGES for text in fences(page, "yaml")]


@pytest.mark.parametrize(("page", "text"), EVERY_BLOCK, ids=[f"{page}-{place}" for place, (page, _) in enumerate(EVERY_BLOCK)])
def test_every_block_of_yaml_is_valid(page, text, tmp_path):
    change = yaml.safe_load(text)
    changed = "photos/params.yaml" if "datasets" in change else "params.yaml"
    (tmp_path / "photos").mkdir()
    for name, raw in PARAMS.items():
        (tmp_path / name).write_text(yaml.safe_dump(merged(raw, change) if name == changed else raw, sort_keys=False))
    settings = checks.load(tmp_path / changed).model_dump()
    for section, keys in change.items():
        assert keys.keys() <= settings[section].keys()
