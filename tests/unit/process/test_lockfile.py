"""dvc.lock, cut off anywhere, is put back as it was."""

import os
import subprocess
import time

import pytest

from relearn.process import lockfile
from tests.unit.process.conftest import LOCK, STAGE

PIPELINE = """stages:
  lint: {cmd: ruff check}
  each: {foreach: [a], do: {cmd: ruff check}}
  train: {foreach: [a], do: {cmd: a, outs: [b]}}
  score: {cmd: a, metrics: [b]}
  draw: {cmd: a, plots: [b]}
  empty:
"""


def commit():
    subprocess.run(["git", "add", "dvc.lock"], check=True)
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-q", "-m", "a"], check=True)


@pytest.mark.parametrize("cut", [0, *(place + 1 for place, letter in enumerate(LOCK[:-1]) if letter == "\n"), 30, len(LOCK) - 1])
def test_a_lock_that_was_cut_off_anywhere_is_put_back_with_its_time(under_dvc, cut):
    os.utime(under_dvc / "dvc.lock", ns=(7_000_000_000, 7_000_000_000))
    lockfile.keep()
    (under_dvc / "dvc.lock").write_text(LOCK[:cut])
    assert len(lockfile.recover()) == 1
    assert (under_dvc / "dvc.lock").read_text() == LOCK
    assert (under_dvc / "dvc.lock").stat().st_mtime_ns == 7_000_000_000


def test_a_whole_lock_is_left_alone(under_dvc):
    lockfile.keep()
    more = LOCK + STAGE.format("train@d")
    (under_dvc / "dvc.lock").write_text(more)
    assert lockfile.recover() == []
    assert (under_dvc / "dvc.lock").read_text() == more


@pytest.mark.parametrize("end", ["    deps:\n    - path: setup.cfg\n      size: 5\n", ""])
@pytest.mark.parametrize(
    ("stage", "mended"), [("lint", 0), ("each@a", 0), ("train@d", 1), ("score", 1), ("draw", 1), ("empty", 1), ("gone", 1)]
)
def test_a_lock_is_whole_whose_last_stage_writes_nothing_but_cut_where_it_should(under_dvc, end, stage, mended):
    lockfile.keep()
    (under_dvc / "dvc.yaml").write_text(PIPELINE)
    more = LOCK + f"  {stage}:\n    cmd: ruff check\n{end}"
    (under_dvc / "dvc.lock").write_text(more)
    assert len(lockfile.recover()) == mended
    assert (under_dvc / "dvc.lock").read_text() == (LOCK if mended else more)


@pytest.mark.parametrize("end", ["", "    cmd: ruff check\n    deps:\n"])
def test_a_lock_that_was_cut_off_in_a_stage_that_writes_nothing_is_put_back_also_by_one_that_ends_with_it(under_dvc, end):
    (under_dvc / "dvc.yaml").write_text(PIPELINE)
    whole = LOCK + "  lint:\n    cmd: ruff check\n    deps:\n    - path: setup.cfg\n      size: 5\n"
    (under_dvc / "dvc.lock").write_text(whole)
    lockfile.keep()
    (under_dvc / "dvc.lock").write_text(LOCK + f"  lint:\n{end}")
    assert len(lockfile.recover()) == 1
    assert (under_dvc / "dvc.lock").read_text() == whole


def test_a_lock_as_git_has_it_is_whole_whatever_dvc_yaml_says_now(under_dvc):
    (under_dvc / "dvc.lock").write_text(LOCK + "  score:\n    cmd: ruff check\n")
    (under_dvc / "dvc.yaml").write_text(PIPELINE)
    commit()
    assert lockfile.recover() == []


def test_the_lock_of_another_commit_is_left_alone_though_it_has_fewer_stages(under_dvc):
    lockfile.keep()
    fewer = "schema: '2.0'\nstages:\n" + STAGE.format("train@a")
    (under_dvc / "dvc.lock").write_text(fewer)
    commit()
    assert lockfile.recover() == []


def test_a_lock_that_is_being_written_is_left_alone(under_dvc, monkeypatch):
    lockfile.keep()
    (under_dvc / "dvc.lock").write_text(LOCK[:40])
    monkeypatch.setattr(time, "sleep", lambda seconds: (under_dvc / "dvc.lock").write_text(LOCK + "\n"))
    assert lockfile.recover() == []


def test_a_lock_with_conflicts_of_a_merge_is_an_error_and_left_alone(under_dvc):
    lockfile.keep()
    conflict = LOCK.replace("      size: 5\n", "<<<<<<< HEAD\n      size: 5\n", 1)
    (under_dvc / "dvc.lock").write_text(conflict)
    with pytest.raises(ValueError, match="conflicts of a merge"):
        lockfile.recover()
    assert (under_dvc / "dvc.lock").read_text() == conflict


def test_a_lock_that_was_cut_off_in_the_first_stage_of_all_is_removed(under_dvc):
    (under_dvc / "dvc.lock").write_text("")
    assert "removed" in lockfile.recover()[0]
    assert not (under_dvc / "dvc.lock").exists()


@pytest.mark.parametrize(("left", "mended"), [("", True), ('{"read": {"a', True), ("{}", False)])
def test_a_table_of_who_is_busy_that_was_cut_off_is_removed(under_dvc, left, mended):
    busy = under_dvc / ".dvc/tmp/rwlock"
    busy.parent.mkdir(parents=True)
    busy.write_text(left)
    assert bool(lockfile.recover()) == mended
    assert busy.exists() != mended
