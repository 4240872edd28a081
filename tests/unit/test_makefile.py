"""What `make` takes from a person: which Python, where the virtual environment is, where the archives are."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

RANGE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
# Says that it is of another version, and notes whatever else it is asked to do.
OTHER = """#!/bin/sh
[ "$1" = -c ] || { echo "$@" >> asked; exit; }
exec "$REAL" -c "import sys; sys.version_info = (3, $MINOR, 1)
$2"
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Runs the project's Makefile in a folder of its own; gives the exit status and standard output with errors."""
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "params.yaml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)

    def call(*words, **environ):
        outside = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
        done = subprocess.run(["make", *words], env=outside | environ, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return call


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("minor", range(10, 15))
def test_a_python_outside_the_range_of_the_pins_is_one_line_before_anything_is_installed(make, tmp_path, minor):
    other = script(tmp_path / "other", OTHER)
    _, told = make(".venv/.installed", f"PYTHON={other}", REAL=sys.executable, MINOR=str(minor))
    lowest, highest = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", RANGE).groups())  # type: ignore[union-attr]
    if lowest <= minor < highest:
        assert Path("asked").read_text() == "-m venv .venv\n"
    else:
        first, last = told.splitlines()
        assert first == f"Python 3.11, 3.12 or 3.13 is needed, and {other} is 3.{minor}: make PYTHON=python3.11"
        assert last.startswith("make: ***")
        assert not Path("asked").exists()


def test_the_workflow_tests_with_every_python_of_the_range():
    job = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]
    lowest, highest = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", RANGE).groups())  # type: ignore[union-attr]
    assert job["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(lowest, highest)]
    assert "make test PYTHON=python" in [step.get("run") for step in job["steps"]]  # what setup-python put on the PATH


@pytest.mark.parametrize("wish", ["python3.11", "python3.12", "python3.13", "python3"])
def test_the_first_python_that_works_is_taken(make, tmp_path, wish):
    """A version manager's shim of that name may be there, and fail."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python3.11", "python3.12", "python3.13", "python3"):
        script(folder / name, "#!/bin/sh\n" + ("" if name == wish else "echo no such version >&2; exit 127\n"))
    assert f"{wish} -m venv .venv\n" in make("-n", ".venv/.installed", PATH=f"{folder}:{os.environ['PATH']}")[1]


def test_a_virtual_environment_lies_where_a_tilde_says_and_a_space_is_told(make):
    status, told = make("-n", "check", "VENV=~/of/mine", HOME="/home/me")
    assert status == 0
    assert " -m venv /home/me/of/mine\n" in told
    assert "~" not in told
    status, told = make("check", "VENV=/my own/venv")
    assert status == 2
    assert "VENV=/my own/venv: make takes no path with a space in it: give another" in told


def test_a_folder_of_archives_may_have_a_space_and_be_given_as_seen_from_here(make, tmp_path):
    Path("none").mkdir()
    Path("none/.installed").touch()
    shell = "#!/bin/sh\nprintf '%s\\n' \"$DATASETS_DIR\"\n"
    folder = tmp_path / "none/bin"
    folder.mkdir()
    script(folder / "python", shell)
    assert make("check", "VENV=none", "DATASETS_DIR=my archives")[1] == "my archives\n"


def test_book_tests_the_claims_anew_before_it_writes_tables(make, tmp_path):
    script_folder = tmp_path / "none/bin"
    script_folder.mkdir(parents=True)
    Path("none/.installed").touch()
    for name in ("python", "dvc"):
        script(script_folder / name, f'#!/bin/sh\necho {name} "$@"\n')
    assert make("book", "VENV=none", "ONLY=K4")[1].splitlines() == [
        "python -m tools.book --only K4", "dvc repro --single-item claims report", "python -m tools.results",
    ]  # fmt: skip
