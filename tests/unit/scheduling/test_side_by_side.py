"""What is said of stages side by side, and of clusters that cannot be used; runs are in tests/pipeline/test_side_by_side.py."""

import contextlib
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from relearn.data import processor
from relearn.scheduling import side_by_side
from relearn.scheduling.plans import Plan
from relearn.scheduling.side_by_side import Done, Ended
from tests.conftest import ROOT
from tools import repro


@pytest.mark.parametrize(("name", "file"), [
    ("report", "report"), ("train@a", "train@a"), ("photos/dvc.yaml:head@a", "photos.head@a"), ("a/b/dvc.yaml:x", "a.b.x"),
])  # fmt: skip
def test_every_stage_has_a_log_of_its_own(name, file):
    assert side_by_side.log(name) == Path(f"logs/repro/{file}.log")


def test_the_end_names_every_stage_that_failed_and_what_was_left_out():
    ended = Ended({"train@a": "exited with 1", "embed@b": "exited with -9"}, ["evaluate@a", "report"])
    assert ended.summary == (
        "train@a failed: exited with 1; what it printed is in logs/repro/train@a.log\n"
        "embed@b failed: exited with -9; what it printed is in logs/repro/embed@b.log\n"
        "left out, as they depend on what failed: evaluate@a, report"
    )


def test_what_is_left_is_expected_to_be_as_slow_as_what_has_ended():
    plan = Plan({"a": [], "b": [], "c": []}, {"a": 120.0, "b": 120.0, "c": 60.0})
    assert side_by_side.pace(plan, Ended()) == 1
    assert side_by_side.pace(plan, Ended(seconds={"a": 270.0, "b": 270.0})) == 2
    assert side_by_side.pace(plan, Ended(seconds={"c": 60.0})) == 1


def test_a_reason_is_what_caused_dvcs_error_in_a_line():
    inner = RuntimeError("failed to run: python x.py,\n  exited with 1")
    outer = RuntimeError("failed to reproduce 'x'")
    outer.__cause__ = inner
    assert side_by_side._reason(outer) == "failed to run: python x.py, exited with 1"
    assert side_by_side._reason(KeyError()) == "KeyError"


def test_a_full_disk_is_the_reason_whatever_it_led_to():
    outer = RuntimeError("failed to log <LogRecord>")
    outer.__context__ = OSError(errno.ENOSPC, "No space left on device")
    assert side_by_side._reason(outer) == "[Errno 28] No space left on device"


def test_beginning_and_end_of_every_stage_are_reported(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    answers = {"a": Done(True, 1.0), "b": Done(False, 0.1), "c": Done(False, 2.0, "exited with 1")}
    cluster = SimpleNamespace(
        nthreads=lambda: {"worker": 1}, submit=lambda stage, name, *more, pure: name, cancel=lambda names: None
    )
    monkeypatch.setattr(side_by_side, "_client", lambda jobs, scheduler: contextlib.nullcontext(cluster))
    monkeypatch.setattr(side_by_side, "_ended", lambda running: running)
    monkeypatch.setattr(side_by_side, "_answer", answers.get)
    plan = Plan({"a": [], "b": ["a"], "c": ["b"], "d": ["c"]}, dict.fromkeys("abcd", 1.0))
    told: list[tuple[str, Done | None]] = []
    side_by_side.run(plan, 1, report=lambda name, done: told.append((name, done)))
    assert told == [pair for name in "abc" for pair in ((name, None), (name, answers[name]))]


class Client:
    """A cluster of which this is true: its workers see a folder or not, and it has the packages or not."""

    def __init__(self, workers, package=True):
        self.workers, self.package = workers, package

    def wait_for_workers(self, count, timeout):
        if not self.workers:
            raise TimeoutError

    def run_on_scheduler(self, function, *arguments):
        if not self.package:
            raise ModuleNotFoundError("No module named 'relearn'")

    def run(self, function, *arguments):
        return self.workers


@pytest.mark.parametrize(("client", "message"), [
    (Client({}), "tcp://h:1 has no worker: start some by `dask worker tcp://h:1 --nthreads 1`"),
    (Client({"tcp://h:2": True, "tcp://h:3": False}), "^tcp://h:3: sees no .*/dvc.yaml; workers need this folder"),
    (Client({"tcp://h:2": True}, package=False), "with this project's packages: No module named 'relearn'"),
])  # fmt: skip
def test_a_cluster_that_cannot_run_stages_is_told_what_it_needs(client, message):
    with pytest.raises(OSError, match=message):
        side_by_side._check_workers(client, "tcp://h:1")


def test_a_cluster_whose_workers_see_the_folder_will_do():
    side_by_side._check_workers(Client({"tcp://h:2": True}), "tcp://h:1")


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(side_by_side, "CONNECT_SECONDS", 0.3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=rf"^nothing answers at {address}: is `dask scheduler` running there\?$"):
            side_by_side.run(Plan({"a": []}, {"a": 1.0}), 1, address)


@pytest.mark.parametrize(("cores", "gib", "jobs"), [(2, 22.0, 2), (16, 10.0, 3), (8, 1.0, 1)])
def test_as_many_stages_run_at_a_time_as_cores_and_memory_allow(monkeypatch, cores, gib, jobs):
    monkeypatch.setattr(processor, "cores", lambda: cores)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=int(gib * 2**30)))
    assert repro.room() == jobs


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "²", ""])
def test_a_number_of_jobs_that_is_none_shows_the_usage(jobs):
    done = subprocess.run([sys.executable, "-m", "tools.repro", f"--jobs={jobs}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"--jobs: {jobs!r} is neither auto nor a whole number from 1" in done.stderr


def test_below_the_top_it_says_where_to_call_it():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tools.repro"], cwd=ROOT / "photos", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "error: this is not the project's top: call it there, for the photographs with photos/dvc.yaml\n"
