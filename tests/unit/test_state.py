"""Where a training goes on from, and for how long that is kept."""

import os

import pytest

from stages.lib import lockfile, state
from tests.unit.test_fit import small_split

LOCK = "schema: '2.0'\nstages:\n  train@a:\n    cmd: python -m stages.train a\n"


@pytest.fixture
def under_dvc(tmp_path, monkeypatch):
    """A folder with a dvc.lock, as a stage under DVC finds it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train@a")
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

    monkeypatch.setattr(state.Path, "glob", lambda path, pattern: iter([folder / "finished", folder / "gone/finished"]))
    monkeypatch.setattr(state.lockfile, "written", swept_by_another)
    state.sweep()


@pytest.mark.parametrize("left", ["", LOCK[:30], LOCK[:-1], "stages: {"])
def test_a_lock_that_was_cut_off_is_put_back_with_its_time(under_dvc, left):
    os.utime(under_dvc / "dvc.lock", ns=(7_000_000_000, 7_000_000_000))
    lockfile.keep()
    (under_dvc / "dvc.lock").write_text(left)
    assert lockfile.recover()
    assert (under_dvc / "dvc.lock").read_text() == LOCK
    assert lockfile.written() == 7_000_000_000


def test_a_whole_lock_is_left_alone(under_dvc):
    lockfile.keep()
    (under_dvc / "dvc.lock").write_text(LOCK + "  train@b:\n    cmd: x\n")
    assert not lockfile.recover()
    assert "train@b" in (under_dvc / "dvc.lock").read_text()


def test_a_lock_that_was_cut_off_in_the_first_stage_of_all_is_removed(under_dvc):
    (under_dvc / "dvc.lock").write_text("")
    assert lockfile.recover()
    assert not (under_dvc / "dvc.lock").exists()


@pytest.mark.parametrize(("left", "mended"), [("", True), ('{"read": {"a', True), ("{}", False)])
def test_a_table_of_who_is_busy_that_was_cut_off_is_removed(under_dvc, left, mended):
    busy = under_dvc / ".dvc/tmp/rwlock"
    busy.parent.mkdir(parents=True)
    busy.write_text(left)
    assert bool(lockfile.recover()) == mended
    assert busy.exists() != mended
