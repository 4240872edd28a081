"""What a run leaves behind when it is stopped, started twice, or runs out of disk. `make torture` is the long form."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support import clones, fulldisk, torture

LONG = 300  # epochs, so that the training is still running when it is stopped
PATIENCE = 60  # seconds in which what should happen has to


def enough(settings):
    torture.small(settings)
    settings["protocols"]["T2"]["epochs"]["smoke"] = LONG


@pytest.fixture(scope="module")
def folder(tmp_path_factory, datasets):
    """A copy of the project in which MNIST is there, and a training of many epochs on it is not."""
    folder = tmp_path_factory.mktemp("faults") / "copy"
    clones.copy(folder, enough)
    torture.run_to_end(folder, ["relabel@mnist_in_order"], DATASETS_DIR=str(datasets))
    return folder


def started(folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """`dvc repro learning_curve@lenet`, which trains in two workers, after the first epochs."""
    process = torture.start(folder, ["learning_curve@lenet"], log)
    wait_for(lambda: len(torture.EPOCH.findall(log.read_text())) > 2, log)
    return process


def wait_for(condition, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, log.read_text()[-2000:]
        time.sleep(0.1)


def below(process) -> list[psutil.Process]:
    processes = psutil.Process(process.pid).children(recursive=True)
    assert len(processes) >= 3, "the stage and two workers"
    return processes


@dataclass
class Stopped:
    """What was seen of a run that was stopped: its output, the processes that outlived it, and of another run beside it."""

    output: str
    alive: list[psutil.Process]
    other: "subprocess.CompletedProcess[str] | None" = None


@pytest.fixture(scope="module")
def killed(folder):
    """A run whose dvc alone gets SIGKILL: nobody tells the stage."""
    log = folder.parent / "killed"
    process = started(folder, log)
    others = below(process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    _, alive = psutil.wait_procs(others, timeout=PATIENCE)
    return Stopped(log.read_text(), alive)


@pytest.fixture(scope="module")
def interrupted(folder, killed):
    """The next run, with a second one beside it, stopped by Ctrl-C: a terminal sends that to all."""
    log = folder.parent / "interrupted"
    process = started(folder, log)
    others = below(process)
    before = len(torture.EPOCH.findall(log.read_text()))
    command = ["dvc", "repro", "learning_curve@lenet"]
    second = subprocess.run(command, cwd=folder, env=clones.environment(), capture_output=True, text=True)
    wait_for(lambda: len(torture.EPOCH.findall(log.read_text())) > before + 2, log)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(PATIENCE)
    _, alive = psutil.wait_procs(others, timeout=PATIENCE)
    return Stopped(log.read_text(), alive, second)


def test_no_process_outlives_a_killed_dvc(killed):
    assert killed.alive == []


def test_an_interrupted_run_ends_with_one_line_and_no_process_left(interrupted):
    assert interrupted.alive == []
    assert "interrupted: the same command resumes from here" in interrupted.output
    assert "Traceback" not in interrupted.output


def test_what_was_trained_before_a_kill_is_not_trained_again(killed, interrupted):
    assert "resumed after epoch" in interrupted.output
    assert not set(torture.EPOCH.findall(killed.output)) & set(torture.EPOCH.findall(interrupted.output))


def test_a_second_run_at_the_same_time_says_so_and_lets_the_first_go_on(interrupted):
    assert interrupted.other.returncode != 0
    assert "it is being blocked by:" in interrupted.other.stderr
    assert "Traceback" not in interrupted.other.stdout + interrupted.other.stderr


@pytest.mark.parametrize("stage", ["download@mnist", "train@lenet"])
def test_a_full_disk_is_a_clear_message_and_more_room_is_enough(full, tmp_path, datasets, stage):
    assert "disk is full" in fulldisk.refused(full, stage, tmp_path, DATASETS_DIR=str(datasets))


@pytest.fixture(scope="module")
def full(tmp_path_factory, datasets):
    """A copy in which a small training has run."""
    if not fulldisk.can_mount():
        pytest.skip("no file system in memory can be mounted here")
    folder = tmp_path_factory.mktemp("full") / "copy"
    clones.copy(folder, torture.small)
    torture.run_to_end(folder, ["train@lenet"], DATASETS_DIR=str(datasets))
    return folder
