"""A stage as a command: what its mistakes look like, and that it ends with whoever started it."""

import errno
import shlex
import subprocess
import sys

import psutil
import pytest

from relearn.process import command
from tests.conftest import ROOT

SLEEPER = "import time; from stages.lib import command; command.end_with_parent(); print('up', flush=True); time.sleep(120)"
COMMAND = [sys.executable, "-c", SLEEPER]


@pytest.mark.parametrize("shell", [["sh", "-c", f"{shlex.join(COMMAND)} & wait"], COMMAND])
def test_a_process_ends_with_the_one_that_started_it_through_a_shell_or_not(shell):
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.run({shell!r})"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout
    assert parent.stdout.readline() == "up\n"
    below = psutil.Process(parent.pid).children(recursive=True)
    sleeper = next(process for process in below if "end_with_parent" in " ".join(process.cmdline()) and not process.children())
    parent.kill()
    parent.wait()
    assert psutil.wait_procs([sleeper], timeout=30)[1] == []


@pytest.mark.parametrize(("number", "cured"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)])
def test_a_full_disk_is_told_with_its_cure(number, cured, monkeypatch):
    def stage() -> None:
        raise OSError(number, "no", "data/x.npy")

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit) as ended:
        command.run(stage)
    assert "data/x.npy" in str(ended.value)
    assert ("make space" in str(ended.value)) == cured


def test_an_interruption_is_one_line(monkeypatch):
    def stage() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit, match="interrupted: the same command goes on from here"):
        command.run(stage)
