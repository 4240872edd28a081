"""A stage as a command: what its mistakes look like, and that it ends with whoever started it."""

import errno
import os
import shlex
import shutil
import subprocess
import sys
import time

import psutil
import pytest

from relearn.params.base import ParamsError
from relearn.process import command, lockfile
from stages import collect, finetune, gather, relabel, report, tune
from tests.conftest import ROOT
from tests.unit.process.conftest import LOCK

SLEEPER = "import time; from relearn.process import command; command.end_with_parent(); print('up', flush=True); time.sleep(120)"
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


@pytest.mark.parametrize(("given", "expected"), [
    ("~/my archives", "/home/me/my archives"), ("my archives", "{top}/my archives"), ("/my archives", "/my archives"),
    ("~nobody-of-this-name/x", "{top}/~nobody-of-this-name/x"), ("", ""),
])  # fmt: skip
@pytest.mark.parametrize("stage", [False, True])
def test_the_folder_of_archives_is_the_same_seen_from_everywhere(tmp_path, given, expected, stage):
    """With a `~` that the shell did not expand, or relative to the project's top; stages of photographs run in photos/."""
    (tmp_path / "photos").mkdir()
    told = {"DATASETS_DIR": given, "HOME": "/home/me", "PYTHONPATH": str(ROOT)} | ({"DVC_ROOT": str(tmp_path)} if stage else {})
    code = "import os; from relearn.process import command; print(os.environ['DATASETS_DIR'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "photos" if stage else tmp_path,
                          env=os.environ | told, capture_output=True, text=True)  # fmt: skip
    assert done.stdout.rstrip("\n") == expected.format(top=tmp_path), done.stderr


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
    with pytest.raises(SystemExit, match="interrupted: the same command resumes from here"):
        command.run(stage)


@pytest.mark.parametrize("error", [FloatingPointError, ValueError, ParamsError])
def test_an_expected_error_of_a_stage_is_one_line_and_no_traceback(monkeypatch, error):
    def stage() -> None:
        raise error("the loss is nan")

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit, match=r"^error: the loss is nan$"):
        command.run(stage)


def test_a_mistake_in_the_code_is_no_expected_error(monkeypatch):
    def stage() -> None:
        raise KeyError("net")

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(KeyError, match="net"):
        command.run(stage)


# Those that need no TensorFlow; each with its arguments.
STAGES = {collect: [], report: [], relabel: ["key"], gather: ["key"], finetune: ["key"], tune: ["key"]}


@pytest.mark.parametrize(("stage", "arguments"), STAGES.items(), ids=lambda given: getattr(given, "__name__", None))
def test_help_says_what_a_stage_does_and_what_it_reads_and_writes(stage, arguments, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "__main__", stage)
    monkeypatch.setattr(sys, "argv", ["x", "--help"])
    with pytest.raises(SystemExit) as ended:
        command.run(stage.main)
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == " ".join([f"usage: python -m {stage.__name__} [-h]", *arguments])
    assert str(stage.__doc__).splitlines()[0] in lines
    assert [line.split()[0] for line in lines if line.startswith(("Reads  ", "Writes "))] == ["Reads", "Writes"]


@pytest.mark.parametrize(
    ("stage", "arguments", "mistake"),
    [(relabel, [], "the following arguments are required: key"), (relabel, ["a", "b"], "unrecognized arguments: b"),
     (collect, ["a"], "unrecognized arguments: a"), (relabel, ["a", "--fast"], "unrecognized arguments: --fast")],
)  # fmt: skip
def test_a_wrong_argument_is_answered_with_the_usage(stage, arguments, mistake, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "__main__", stage)
    monkeypatch.setattr(sys, "argv", ["x", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.run(stage.main)
    assert ended.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith(f"usage: python -m {stage.__name__} [-h]")
    assert error.endswith(mistake)


def test_a_stage_gets_its_arguments_in_their_order_and_dvc_lock_is_kept_while_it_runs(under_dvc, monkeypatch):
    calls = []

    def stage(key: str, place: str) -> None:
        until = time.monotonic() + 20
        while not lockfile.KEPT.is_file() and time.monotonic() < until:
            time.sleep(0.01)
        calls.append((key, place, lockfile.KEPT.read_text() == LOCK))

    monkeypatch.setattr(sys, "argv", ["x", "deep_sgd", "elsewhere"])
    command.run(stage)
    assert calls == [("deep_sgd", "elsewhere", True)]


def test_a_stage_that_dvc_runs_in_another_copy_takes_that_copys_code(tmp_path):
    """As a queued experiment of the photographs does: in photos/ of a clone, with this project's packages installed."""
    shutil.copytree(ROOT / "relearn/process", tmp_path / "relearn/process")
    for folder in (".dvc", "photos", "stages"):
        (tmp_path / folder).mkdir()
    for package in ("relearn", "stages"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "stages/relabel.py").write_text(
        "import sys; from relearn.process import command; print(command.__file__, sys.argv[1:])"
    )
    environment = os.environ | {"DVC_STAGE": "relabel@a", "DVC_ROOT": str(ROOT), "PYTHONPATH": str(ROOT)}
    stage = [sys.executable, "-m", "stages.relabel", "a"]
    done = subprocess.run(stage, cwd=tmp_path / "photos", env=environment, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path / 'relearn/process/command.py'} ['a']\n", done.stderr
