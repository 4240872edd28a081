"""Every tool says what it reads and writes, and takes no argument that it does not know."""

import ast
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

TOOLS = sorted(path.stem for path in (ROOT / "tools").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_says_how_it_is_called_and_what_it_reads_and_writes(name):
    about = ast.get_docstring(ast.parse((ROOT / f"tools/{name}.py").read_text())) or ""
    assert f"\n    python -m tools.{name}" in about
    assert "\nReads  " in about
    assert "\nWrites " in about


@pytest.mark.parametrize("name", TOOLS)
def test_an_unknown_argument_gives_the_usage(name):
    done = subprocess.run([sys.executable, "-m", f"tools.{name}", "--nonsense"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: python -m tools.{name} ")


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_imports_nothing_of_the_tests(name):
    assert not re.search(r"^\s*(from|import) tests\b", (ROOT / f"tools/{name}.py").read_text(), re.MULTILINE)
