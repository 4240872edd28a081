"""What GitHub runs: nothing of a pull request gets into a shell's text, and the code of one never sees a token that writes."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")}
GH = """#!/usr/bin/env bash
echo "$@" >> asked
case "$*" in *--jq*) cat comments ;; *) cat review.md > posted ;; esac
"""


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_scripts_take_what_they_are_told_from_the_environment(name):
    assert not [step["run"] for step in steps(name) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_that_may_write_checks_nothing_out(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in WORKFLOWS[name][True]  # YAML's `on`
    for job in WORKFLOWS[name]["jobs"].values():
        if "write" in job.get("permissions", {}).values():
            assert not [step for step in job["steps"] if "checkout" in step.get("uses", "")]


@pytest.mark.parametrize(
    ("comments", "asked"),
    [
        ("", "--method POST repos/we/relearn/issues/7/comments"),
        ("41\n42\n", "--method PATCH repos/we/relearn/issues/comments/41"),
    ],
)
def test_a_pull_request_gets_one_comment_which_is_brought_up_to_date(tmp_path: Path, comments, asked):
    assert posted(tmp_path, "<!-- relearn review -->\n## Review\n\n**fine**\n", comments).startswith("<!-- relearn review -->\n")
    last = (tmp_path / "asked").read_text().splitlines()[-1]
    assert asked in last


def test_a_review_too_long_for_a_comment_keeps_its_verdict(tmp_path: Path):
    text = posted(tmp_path, "<!-- relearn review -->\n## Review\n\n**fine**\n" + "| a | b |\n" * 9000, "")
    assert len(text) < 65536
    assert "**fine**" in text
    assert "summary of the run" in text


def test_no_review_is_no_comment(tmp_path: Path):
    run_last_step(tmp_path, "", "")
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(("remote", "asked"), [("", ["make .venv/.installed"]), ("ssh://there", [
    "make .venv/.installed-remote",
    "dvc remote add --local --default review ssh://there",
    "dvc remote modify --local review verify true",
])])  # fmt: skip
def test_a_review_needs_no_remote(tmp_path: Path, remote, asked):
    for command in ("make", ".venv/bin/dvc"):
        (path := tmp_path / command).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/usr/bin/env bash\necho {path.name} "$@" >> asked\n')
        path.chmod(0o755)
    script = next(step["run"] for step in steps("review") if "DVC_REMOTE" in step.get("env", {}))
    told = {"PATH": f"{tmp_path}:/usr/bin:/bin", "DVC_REMOTE": remote}
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=told, check=True)
    assert (tmp_path / "asked").read_text().splitlines() == asked


def posted(folder: Path, markdown: str, comments: str) -> str:
    run_last_step(folder, markdown, comments)
    return (folder / "posted").read_text()


def run_last_step(folder: Path, markdown: str, comments: str) -> None:
    """Runs the script that comments, with a `gh` that notes what it is asked."""
    (folder / "gh").write_text(GH)
    (folder / "gh").chmod(0o755)
    (folder / "review.md").write_text(markdown)
    (folder / "comments").write_text(comments)
    told = {"PATH": f"{folder}:{os.environ['PATH']}", "GITHUB_REPOSITORY": "we/relearn", "NUMBER": "7", "RUN": "https://run"}
    script = WORKFLOWS["review"]["jobs"]["comment"]["steps"][-1]["run"]
    subprocess.run(["bash", "-e", "-c", script], cwd=folder, env=os.environ | told, check=True)
