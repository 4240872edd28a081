"""Where a training goes on from, and for how long that is kept."""

import os
import pathlib
import subprocess
import time

import pytest

from relearn.process import lockfile
from relearn.training import state
from tests.unit.test_fit import small_split

STAGE = (
    "  {0}:\n    cmd: python -m stages.train a\n    outs:\n"
    + "    - path: models/{0}.keras\n      hash: md5\n      md5: ab\n      size: 5\n"
)
LOCK = "schema: '2.0'\nstages:\n" + STAGE.format("train@a") + STAGE.format("train@b") + STAGE.format("train@c")


@pytest.fixture
def under_dvc(tmp_path, monkeypatch):
    """A folder with a dvc.lock, as a stage under DVC finds it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train@a")
    monkeypatch.setattr(lockfile, "SETTLED", 0.01)
    subprocess.run(["git", "init", "-q"], check=True)
    (tmp_path / "dvc.lock").write_text(LOCK)
    return tmp_path


def trained(batch: int = 1):
    """The state folder of a training, with an epoch in it."""
    folder = state.folder("train-a", {"batch": batch}, splits=[small_split()])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "epoch.npz").touch()
    return folder


def test_a_finished_training_is_kept_until_dvc_has_noted_it(under_dvc):
    folder = trained()
    state.finish(folder)
    assert (state.folder("train-a", {"batch": 1}, splits=[small_split()]) / "epoch.npz").is_file(), "DVC was killed just then"
    os.utime(under_dvc / "dvc.lock", ns=(1, 1))  # DVC writes it anew, maybe with the same content
    state.sweep()
    assert not folder.exists()


def test_a_training_that_is_forced_after_it_was_noted_begins_anew(under_dvc):
    folder = trained()
    state.finish(folder)
    os.utime(under_dvc / "dvc.lock", ns=(1, 1))
    assert state.folder("train-a", {"batch": 1}, splits=[small_split()]) == folder
    assert not folder.exists()


def test_without_dvc_a_finished_training_is_forgotten_at_once(under_dvc, monkeypatch):
    monkeypatch.delenv("DVC_STAGE")
    folder = trained()
    state.finish(folder)
    assert not folder.exists()


def test_an_unfinished_training_is_not_swept(under_dvc):
    folder = trained()
    os.utime(under_dvc / "dvc.lock", ns=(1, 1))
    state.sweep()
    assert folder.is_dir()


def test_several_workers_may_sweep_at_once(under_dvc, monkeypatch):
    folder = trained()
    state.finish(folder)
    written = lockfile.written

    def swept_by_another() -> int:
        (folder / "finished").unlink(missing_ok=True)
        return written()

    monkeypatch.setattr(pathlib.Path, "glob", lambda path, pattern: iter([folder / "finished", folder / "gone/finished"]))
    monkeypatch.setattr(lockfile, "written", swept_by_another)
    state.sweep()


@pytest.mark.parametrize("cut", [0, *(place + 1 for place, letter in enumerate(LOCK[:-1]) if letter == "\n"), 30, len(LOCK) - 1])
def test_a_lock_that_was_cut_off_anywhere_is_put_back_with_its_time(under_dvc, cut):
    os.utime(under_dvc / "dvc.lock", ns=(7_000_000_000, 7_000_000_000))
    lockfile.keep()
    (under_dvc / "dvc.lock").write_text(LOCK[:cut])
    assert len(lockfile.recover()) == 1
    assert (under_dvc / "dvc.lock").read_text() == LOCK
    assert lockfile.written() == 7_000_000_000


def test_a_whole_lock_is_left_alone(under_dvc):
    lockfile.keep()
    more = LOCK + STAGE.format("train@d")
    (under_dvc / "dvc.lock").write_text(more)
    assert lockfile.recover() == []
    assert (under_dvc / "dvc.lock").read_text() == more


def test_the_lock_of_another_commit_is_left_alone_though_it_has_fewer_stages(under_dvc):
    lockfile.keep()
    fewer = "schema: '2.0'\nstages:\n" + STAGE.format("train@a")
    (under_dvc / "dvc.lock").write_text(fewer)
    subprocess.run(["git", "add", "dvc.lock"], check=True)
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-q", "-m", "fewer"], check=True)
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


def test_a_disk_that_fills_up_at_a_trainings_end_does_not_forget_it(under_dvc, monkeypatch):
    folder = trained()

    def full(path, text):
        path.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            state.finish(folder)
    state.sweep()
    assert folder.is_dir()


@pytest.mark.parametrize(("left", "mended"), [("", True), ('{"read": {"a', True), ("{}", False)])
def test_a_table_of_who_is_busy_that_was_cut_off_is_removed(under_dvc, left, mended):
    busy = under_dvc / ".dvc/tmp/rwlock"
    busy.parent.mkdir(parents=True)
    busy.write_text(left)
    assert bool(lockfile.recover()) == mended
    assert busy.exists() != mended
