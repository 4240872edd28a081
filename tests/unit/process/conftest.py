"""A dvc.lock, as a stage under DVC finds it."""

import subprocess

import pytest

from relearn.process import lockfile

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
