"""`make review` in small projects of their own with two branches; nothing in them takes longer than DVC itself."""

import base64
import html
import json
import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from dvc.cli import main as dvc
from markdown_it import MarkdownIt

from tests.conftest import ROOT
from tools import review

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's, of a library of its own

EXPERIMENT = """
import json, sys
from pathlib import Path
key = sys.argv[1]
spec = json.loads(Path("params.yaml").read_text())["train"][key]
def write(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
row = {name: spec[name] for name in ("accuracy", "loss", "standard_error", "brightness") if name in spec}
write(f"metrics/evaluate/{key}.json", json.dumps({"images": 1000, **row}))
write(f"metrics/summary/{key}.json", json.dumps(row))
write(f"plots/history/{key}.csv", f"epoch,loss,accuracy\\n1,2,0.1\\n2,{spec['loss']},{spec['accuracy']}\\n")
right = round(10 * spec["accuracy"])
write(f"plots/confusion/{key}.csv", "actual,predicted\\n" + "cat,cat\\n" * right + "cat,dog\\n" * (10 - right) + "dog,dog\\n")
head = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
write(f"plots/picture/{key}.svg", f"{head}<text>{spec['accuracy']}</text></svg>")
"""
PIPELINE = """
stages:
  train:
    foreach: ${train}
    do:
      cmd: python stages/train.py ${key}
      deps: [stages/train.py, stages/shared]
      params: ["train.${key}"]
      outs:
        - plots/picture/${key}.svg
        - plots/confusion/${key}.csv
        - plots/history/${key}.csv: {cache: false}
        - metrics/evaluate/${key}.json: {cache: false}
        - metrics/summary/${key}.json: {cache: false}
  follow:
    cmd: cp plots/picture/single.svg plots/followed.svg
    deps: [plots/picture/single.svg]
    params: [follow]
    outs: [plots/followed.svg]
metrics: [metrics/summary]
"""
# Its stage depends on code and on a number of the project's top, as those of the photographs do.
PHOTOS = (
    PIPELINE.partition("  follow:")[0]
    .replace("stages/", "../stages/")
    .replace('["train.${key}"]', '["train.${key}", {../params.yaml: [seed]}]')
    + "metrics: [metrics/summary]\n"
)
MAIN = {
    "train": {
        "single": {"accuracy": 0.5, "loss": 1.5, "brightness": 3},
        "repeated": {"accuracy": 0.7, "loss": 1.0, "standard_error": 0.003},
        "untouched": {"accuracy": 0.2, "loss": 2.0},
    },
    "follow": 1,
    "seed": 14,
}
BRANCH = {
    "train": {
        "single": {"accuracy": 0.6, "loss": 1.75, "brightness": 4},
        "repeated": {"accuracy": 0.705, "loss": 1.0, "standard_error": 0.004},
        "untouched": {"accuracy": 0.2, "loss": 2.0},
    },
    "follow": 1,
    "seed": 14,
}


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments], check=True)


def commit(message: str) -> None:
    git("add", "-A")
    git("commit", "-q", "-m", message)


def edit(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Two dvc.yaml, here and in photos/, run and committed on main; on `branch` the first one's accuracies are others."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        git("init", "-q", "-b", "main")
        assert dvc(["init", "-q"]) == 0
        edit("stages/train.py", EXPERIMENT)
        edit("stages/shared/__init__.py", "")
        edit("params.yaml", json.dumps(MAIN))
        edit("dvc.yaml", PIPELINE)
        edit("photos/params.yaml", json.dumps({"train": {"pets": {"accuracy": 0.9, "loss": 0.1}}}))
        edit("photos/dvc.yaml", PHOTOS)
        edit(".gitignore", "/review.html\n")
        assert dvc(["repro", "-q", "dvc.yaml", "photos/dvc.yaml"]) == 0
        commit("main")
        git("checkout", "-q", "-b", "branch")
        edit("params.yaml", json.dumps(BRANCH))
        assert dvc(["repro", "-q"]) == 0
        commit("other accuracies")
    return folder


@pytest.fixture
def project(template, tmp_path, monkeypatch):
    """A copy of the two branches with the cache, on `branch`."""
    shutil.copytree(template, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")


@pytest.fixture
def clone(template, tmp_path, monkeypatch):
    """A clone on `branch`: no data of DVC's on either side."""
    git("clone", "-q", str(template), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    git("branch", "-q", "main", "origin/main")


@pytest.fixture
def run(capsys):
    """Runs the review: its exit status and its Markdown."""

    def reviewed(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = review.main([*arguments])
        return status, capsys.readouterr().out

    return reviewed


def rows(markdown: str) -> list[list[str]]:
    """The cells of every table as a Markdown renderer sees them, code marks taken off."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    cells: list[list[str]] = []
    for token, inline in pairwise(tokens):
        if token.type == "tr_open":
            cells.append([])
        if token.type in ("td_open", "th_open"):
            cells[-1].append("".join(child.content for child in inline.children or [] if child.type in ("text", "code_inline")))
    return cells


def test_a_review_tells_what_changed_and_only_that(project, run):
    status, markdown = run("main", "--check")
    assert status == 0
    assert rows(markdown) == [
        ["parameter", "main", "now"],
        ["train.repeated.accuracy", "0.7", "0.705"],
        ["train.repeated.standard_error", "0.003", "0.004"],
        ["train.single.accuracy", "0.5", "0.6"],
        ["train.single.brightness", "3", "4"],
        ["train.single.loss", "1.5", "1.75"],
        ["experiment", "metric", "main", "now", "change", "verdict"],
        ["single", "accuracy", "0.5000", "0.6000", "+0.1000", "better, beyond 0.0443 (binomial, 1,000 images)"],
        ["repeated", "accuracy", "0.7000 ± 0.0030", "0.7050 ± 0.0040", "+0.0050", "better, but within 0.0100 (repeats)"],
        ["single", "loss", "1.5000", "1.7500", "+0.2500", "worse, noise unknown"],
        ["single", "brightness", "3", "4", "+1", "changed"],
    ]
    assert (
        "**Metrics: 1 better beyond the noise, 1 within the noise, 1 worse of unknown noise, 1 changed without a known "
        "direction; dvc.lock and photos/dvc.lock are up to date.**"
    ) in markdown
    drawn = re.search(r"Side by side in review\.html: (.*)\.$", markdown, re.MULTILINE)
    assert drawn
    assert re.findall(r"`([^`]+)`", drawn[1]) == [
        "plots/confusion/single.csv", "plots/followed.svg", "plots/history/repeated.csv", "plots/history/single.csv",
        "plots/picture/repeated.svg", "plots/picture/single.svg",
    ]  # fmt: skip
    assert "photos`" not in markdown
    assert "Code changed" not in markdown


def test_the_page_holds_both_sides_of_every_plot(project, run):
    run("main", "--html", "both.html")
    page = Path("both.html").read_text()
    pictures = [base64.b64decode(data).decode() for data in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)]
    followed, repeated, single = ["0.5", "0.6"], ["0.7", "0.705"], ["0.5", "0.6"]
    assert [re.findall(r"<text>([\d.]+)<", picture)[0] for picture in pictures] == [*followed, *repeated, *single]
    figures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(figures) == 2 + 2 * 2  # two confusion matrices; loss and accuracy of two histories
    assert [re.findall(r">(\d+\.\d)<", figure) for figure in figures[:2]] == [
        ["50.0", "50.0", "0.0", "100.0"],
        ["60.0", "40.0", "0.0", "100.0"],
    ]
    for figure in figures[2:]:
        assert "stroke-dasharray" in figure


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(BROWSER is None and not os.environ.get("CI"), reason="no Chromium on the PATH")
def test_the_page_fits_a_telephone_and_asks_nothing_of_a_network(project, run):
    from playwright.sync_api import sync_playwright

    run("main")
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 390, "height": 900}, color_scheme=scheme)
            page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
            page.on("console", lambda message: asked.append(message.text))
            page.goto(Path("review.html").absolute().as_uri())
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert page.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth == 0).length") == 0
            ink = page.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
            assert (sum(map(int, re.findall(r"\d+", ink)[:3])) > 384) == (scheme == "dark")
        browser.close()
    assert set(asked) <= {"file", "data"}


def test_a_clone_without_data_names_the_plots_it_cannot_draw(clone, run):
    status, markdown = run("main", "--check")
    assert status == 0
    assert "Side by side in review.html: `plots/history/repeated.csv`, `plots/history/single.csv`." in markdown
    missing = "`plots/confusion/single.csv`, `plots/followed.svg`, `plots/picture/repeated.svg`, `plots/picture/single.svg`."
    assert re.search(rf"`dvc fetch --all-branches` .*: {re.escape(missing)}", markdown)


def test_another_text_in_the_readme_is_no_difference(clone, run):
    edit("README.md", "new")
    status, markdown = run("branch", "--check")
    assert status == 0
    assert "**No parameter, metric or plot differs from `branch`; dvc.lock and photos/dvc.lock are up to date.**" in markdown
    assert "###" not in markdown


TRAININGS = ["train@single", "train@repeated", "train@untouched"]
EDITS = {  # the stages of the two pipelines that must run again
    "a parameter": ("params.yaml", '"accuracy": 0.2', '"accuracy": 0.3', ["train@untouched"], []),
    "a parameter of a stage without its data": ("params.yaml", '"follow": 1', '"follow": 2', ["follow"], []),
    "a parameter that another folder uses": ("params.yaml", '"seed": 14', '"seed": 15', [], ["train@pets"]),
    "a parameter of that folder": ("photos/params.yaml", "0.9", "0.8", [], ["train@pets"]),
    "a script": ("stages/train.py", "import json", "import  json", TRAININGS, ["train@pets"]),
    "a folder of code": ("stages/shared/__init__.py", "", "# new", TRAININGS, ["train@pets"]),
    "a command": ("dvc.yaml", "cp plots", "cp -f plots", ["follow"], []),
    "a result by hand": ("metrics/evaluate/untouched.json", "0.2", "0.9", ["train@untouched"], []),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_lock_is_stale_when_something_changed_and_was_not_run(clone, run, what):
    path, old, new, first, photos = EDITS[what]
    edit(path, Path(path).read_text().replace(old, new, 1) if old else new)
    status, markdown = run("branch", "--check")
    assert status == 1
    stale = dict(re.findall(r"\*\*(\S+) is stale\*\*: (.*) would run", markdown))
    expected = {lock: stages for lock, stages in (("dvc.lock", first), ("photos/dvc.lock", photos)) if stages}
    assert {lock: re.findall(r"`([^`]+)`", stages) for lock, stages in stale.items()} == expected
    both = "dvc.lock and photos/dvc.lock are STALE."
    one = "photos/dvc.lock is STALE, dvc.lock is up to date." if photos else "dvc.lock is STALE, photos/dvc.lock is up to date."
    assert f"; {both if len(expected) == 2 else one}**" in markdown


def test_a_stale_lock_fails_only_where_it_is_asked_for(project, run):
    edit("stages/train.py", EXPERIMENT + "# new")
    assert [run("branch")[0], run("branch", "--check")[0]] == [0, 1]


def test_changed_code_is_listed_with_its_stages(project, run):
    edit("stages/shared/__init__.py", "# new")
    markdown = run("branch")[1]
    assert [row for row in rows(markdown) if row[0] != "file"] == [
        ["stages/shared", "train (3)"],
        ["stages/shared", "train@pets"],
    ]
    assert markdown.index("`stages/shared`") < markdown.index("## `photos`") < markdown.index("**photos/dvc.lock is stale**")


def test_a_change_in_another_folder_stands_in_a_section_of_its_own(project, run):
    edit("photos/params.yaml", json.dumps({"train": {"pets": {"accuracy": 0.8, "loss": 0.1}}}))
    assert dvc(["repro", "-q", "photos/dvc.yaml"]) == 0
    status, markdown = run("branch", "--check")
    assert status == 0
    before, _, section = markdown.partition("## `photos`")
    assert "###" not in before
    assert rows(section) == [
        ["parameter", "branch", "now"],
        ["train.pets.accuracy", "0.9", "0.8"],
        ["experiment", "metric", "branch", "now", "change", "verdict"],
        ["pets", "accuracy", "0.9000", "0.8000", "-0.1000", "worse, beyond 0.0316 (binomial, 1,000 images)"],
    ]
    plots = ("confusion/pets.csv", "history/pets.csv", "picture/pets.svg")
    assert f"Side by side in review.html: {', '.join(f'`photos/plots/{name}`' for name in plots)}." in section


def test_what_is_new_or_gone_is_said(project, run):
    assert run("main")[0] == 0
    git("checkout", "-q", "main")
    settings = json.loads(Path("params.yaml").read_text())
    settings["train"] = {"another": {"accuracy": 0.1, "loss": 3.0}} | {
        key: spec for key, spec in settings["train"].items() if key != "untouched"
    }
    edit("params.yaml", json.dumps(settings))
    git("rm", "-q", "-r", "metrics/summary/untouched.json", "metrics/evaluate/untouched.json", "plots/history/untouched.csv")
    shutil.rmtree("photos")
    assert dvc(["repro", "-q"]) == 0
    commit("another experiment")
    status, markdown = run("branch~1", "--check")
    assert status == 0
    assert ["another", "accuracy", "", "0.1000", "", "new"] in rows(markdown)
    assert ["untouched", "accuracy", "0.2000", "", "", "gone"] in rows(markdown)
    assert "New: `train@another`." in markdown
    assert "Gone: `train@untouched`." in markdown
    assert "Gone: `train@pets`." in markdown.partition("## `photos`")[2]
    assert "; dvc.lock is up to date.**" in markdown


EVIL = {
    "pipe": "a|b",
    "tick": "a `b` c",
    "html": "<script>alert(1)</script>",
    "entity": "a &lt; b",
    "backslash": "a \\",
    "lines": "a\n| x | y |",
    "link": "[x](http://example.org) ![x](http://example.org) @someone #1",
    "all": "``|\\|<b>`",
}


def test_values_of_a_branch_stay_text(project, run):
    settings = json.loads(Path("params.yaml").read_text())
    edit("params.yaml", json.dumps(settings | {"follow": EVIL}))
    markdown = run("branch")[1]
    rendered = MarkdownIt("commonmark").enable("table").render(markdown)
    cells = dict(re.findall(r"<tr>\s*<td><code>follow\.(\w+)</code></td>\s*<td></td>\s*<td>(.*)</td>\s*</tr>", rendered))
    assert {key: html.unescape(re.sub(r"^<code>|</code>$", "", cell)) for key, cell in cells.items()} == {
        key: value.replace("\n", " ") for key, value in EVIL.items()
    }
    assert "<script" not in rendered
    assert "<script>alert" not in Path("review.html").read_text()


def test_what_cannot_be_read_is_said(project, run):
    edit("metrics/summary/single.json", "{")
    edit("plots/history/single.csv", "")
    markdown = run("branch")[1]
    assert re.search(r"> Could not be read: .*metrics/summary/single\.json", markdown)
    assert "Changed, and not of a kind that is drawn: `plots/history/single.csv`." in markdown
    assert "EmptyDataError" in Path("review.html").read_text()
    edit("params.yaml", "train: [")
    assert run("branch") == (2, "")


def test_a_base_that_went_on_is_said(project, run):
    git("checkout", "-q", "-b", "ahead")
    edit("README.md", "new")
    commit("the base goes on")
    git("checkout", "-q", "branch")
    assert "> `ahead` has 1 commit that this branch lacks" in run("ahead")[1]


def test_an_unknown_base_is_one_line_that_names_the_cure(project, capsys):
    assert review.main(["nope"]) == 2
    assert capsys.readouterr() == (
        "",
        "error: 'nope' is no branch, tag or commit of this repository: git fetch it, or name another\n",
    )
    assert review.main(["--", "--output=x"]) == 2
    assert not Path("x").exists()


def test_make_review_writes_nothing_but_markdown(project):
    """With the project's own Makefile, whose set-up is taken for done."""
    shutil.copy2(ROOT / "Makefile", "Makefile")
    as_called_by_hand = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment = as_called_by_hand | {"PYTHONPATH": str(ROOT)}
    command = ["make", "VENV=none", "-o", "none/.installed", "review", "BASE=main"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith("<!-- relearn review -->\n## Review against `main`\n")
    assert done.stderr == ""
    assert Path("review.html").is_file()
