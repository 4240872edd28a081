"""For how long the state of a training is kept."""

import pathlib
import subprocess

import pytest

from relearn.process import states


def trained(name: str = "train-a-0123"):
    """The state folder of a training, with an epoch in it."""
    folder = states.STATE / name
    folder.mkdir(parents=True)
    (folder / "epoch.npz").touch()
    kind, key, *_ = name.split("-")
    metrics = pathlib.Path("metrics", kind, f"{key}.json")
    metrics.parent.mkdir(parents=True, exist_ok=True)
    metrics.write_text(f"metrics of {key}")
    return folder


def noted(kind: str = "train", key: str = "a"):
    """Has dvc.lock name the metrics of a training, as DVC does when its stage has ended."""
    metrics = pathlib.Path("metrics", kind, f"{key}.json")
    digest = subprocess.run(["md5sum", metrics], capture_output=True, text=True, check=True).stdout.split()[0]
    entry = f"    - path: {metrics}\n      hash: md5\n      md5: {digest}\n      size: 12\n"
    pathlib.Path("dvc.lock").write_text(pathlib.Path("dvc.lock").read_text() + entry)


def test_a_finished_training_is_kept_until_dvc_has_noted_it(under_dvc):
    folder = trained()
    states.finish("train-a")
    states.sweep()
    assert (folder / "epoch.npz").is_file(), "DVC was killed just then"
    trained("train-b-0123")
    noted("train", "b")
    states.sweep()
    assert (folder / "epoch.npz").is_file(), "another stage, side by side, has ended"
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
    noted("finetune")
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
    noted()
    monkeypatch.setattr(pathlib.Path, "glob", lambda path, pattern: iter([folder / "finished", folder / "gone/finished"]))
    states.sweep()
    assert not folder.exists()


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
