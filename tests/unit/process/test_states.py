"""For how long the state of a training is kept."""

import os
import pathlib

import pytest

from relearn.process import lockfile, states


def trained(name: str = "train-a-0123"):
    """The state folder of a training, with an epoch in it."""
    folder = states.STATE / name
    folder.mkdir(parents=True)
    (folder / "epoch.npz").touch()
    return folder


def noted():
    """Has dvc.lock written anew, as DVC does when a stage has ended, maybe with the same content."""
    os.utime("dvc.lock", ns=(1, 1))


def test_a_finished_training_is_kept_until_dvc_has_noted_it(under_dvc):
    folder = trained()
    states.finish("train-a")
    states.sweep()
    assert (folder / "epoch.npz").is_file(), "DVC was killed just then"
    noted()
    states.sweep()
    assert not folder.exists()


def test_without_dvc_a_finished_training_is_forgotten_at_once(under_dvc, monkeypatch):
    monkeypatch.delenv("DVC_STAGE")
    folder = trained()
    states.finish("train-a")
    assert not folder.exists()


@pytest.mark.parametrize("stage", ["finetune@a", None])
def test_a_stage_finishes_all_its_trainings_and_those_of_no_other(under_dvc, monkeypatch, stage):
    if stage is None:
        monkeypatch.delenv("DVC_STAGE")
    mine = [trained(f"finetune-a-{repeat}-0123") for repeat in range(2)]
    others = [trained(name) for name in ("finetune-a_b-0-0123", "finetune-b-0-0123", "tune-a-0-0123")]
    states.finish("finetune-a")
    noted()
    states.sweep()
    assert not any(folder.exists() for folder in mine)
    assert all(folder.is_dir() for folder in others)


def test_an_unfinished_training_is_not_swept(under_dvc):
    folder = trained()
    noted()
    states.sweep()
    assert folder.is_dir()


def test_several_workers_may_sweep_at_once(under_dvc, monkeypatch):
    folder = trained()
    states.finish("train-a")
    written = lockfile.written

    def swept_by_another() -> int:
        (folder / "finished").unlink(missing_ok=True)
        return written()

    monkeypatch.setattr(pathlib.Path, "glob", lambda path, pattern: iter([folder / "finished", folder / "gone/finished"]))
    monkeypatch.setattr(lockfile, "written", swept_by_another)
    states.sweep()


def test_a_disk_that_fills_up_at_a_trainings_end_does_not_forget_it(under_dvc, monkeypatch):
    folder = trained()

    def full(path, text):
        path.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            states.finish("train-a")
    states.sweep()
    assert folder.is_dir()
