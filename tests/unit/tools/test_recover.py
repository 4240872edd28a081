"""What DVC trips over after a kill; how a lock that was cut off is mended is in test_lockfile."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc_objects.fs.utils import tmp_fname

from tests.conftest import ROOT
from tests.support import clones
from tools import recover

PIPELINE = "stages: {a: {cmd: echo 1 > b, deps: [a], outs: [b]}}"

LOCK = (
    "schema: '2.0'\nstages:\n  a:\n    cmd: echo 1 > b\n    outs:\n"
    "    - path: b\n      hash: md5\n      md5: b026324c6904b2a9cb4b88d6d61c81d1\n      size: 2\n"
)


def empty_entry(folder: Path, age: float = 60) -> Path:
    """An entry of the run cache as a kill between its making and its writing leaves it."""
    entry = folder / "runs" / "ab" / "ab12"
    entry.mkdir(parents=True)
    os.utime(entry, (time.time() - age,) * 2)
    return entry


def test_an_empty_entry_of_the_run_cache_is_removed_and_told(tmp_path):
    entry = empty_entry(tmp_path)
    assert recover.without_empty_runs(tmp_path / "runs") == [f"{entry}: an entry of the run cache without content; removed"]
    assert list(tmp_path.glob("runs/*/*")) == []
    assert recover.without_empty_runs(tmp_path / "runs") == []


def test_an_entry_with_content_or_that_gets_some_stays(tmp_path, monkeypatch):
    entry = empty_entry(tmp_path, age=0)
    monkeypatch.setattr(time, "sleep", lambda seconds: (entry / "cd34").write_text("cmd: x"))  # a DVC that lives
    assert recover.without_empty_runs(tmp_path / "runs") == []
    assert (entry / "cd34").is_file()


@pytest.mark.parametrize("prefix", ["", "c175b9c0f1b6a831c399e269772661"])  # copied, moved
def test_a_copy_into_the_cache_that_was_cut_off_long_ago_is_removed_and_told(tmp_path, monkeypatch, prefix):
    folder = tmp_path / "0c"
    folder.mkdir()
    cut, whole = folder / tmp_fname(prefix), folder / "c175b9c0f1b6a831c399e269772661"
    for path in (cut, whole):
        path.write_bytes(b"a" * 260_000)
        os.utime(path, (0, 0))  # what is moved keeps the time of its content
    assert recover.without_unfinished(tmp_path) == []
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + recover.ABANDONED + 60)
    assert recover.without_unfinished(tmp_path) == [f"{cut}: an unfinished copy (0.3 MB); removed"]
    assert list(folder.iterdir()) == [whole]


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")
@pytest.mark.parametrize("config", ["", "[cache]\n    dir = ../common\n"])
def test_dvc_goes_on_after_it(tmp_path, monkeypatch, config):
    """Without the cure it ends with a TypeError, whenever it is called again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text("1")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    Repo.init(no_scm=True).close()
    (tmp_path / ".dvc/config.local").write_text(config)
    Repo().reproduce()
    [entry] = (tmp_path / ("common" if config else ".dvc/cache") / "runs").glob("??/*/")
    [content] = entry.iterdir()
    content.unlink()
    (tmp_path / "dvc.lock").unlink()
    (tmp_path / "b").unlink()
    with pytest.raises(Exception, match="failed to reproduce") as failure:
        Repo().reproduce()
    assert "NoneType" in str(failure.value.__cause__)
    done = subprocess.run([sys.executable, "-m", "tools.recover"], env=clones.environment(PYTHONPATH=str(ROOT)), check=False)
    assert done.returncode == 0
    Repo().reproduce()
    assert (tmp_path / "b").read_text() == "1\n"


@pytest.mark.parametrize(
    ("config", "scm", "why"), [("[cache]\n    nonsense = 1\n", "true", "nonsense"), ("", "false", "not a git repository")]
)
def test_what_dvc_itself_would_refuse_is_one_line(tmp_path, config, scm, why):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(f"[core]\n    no_scm = {scm}\n")
    (tmp_path / ".dvc/config.local").write_text(config)
    command = [sys.executable, "-m", "tools.recover"]
    done = subprocess.run(command, cwd=tmp_path, env=clones.environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(rf"error: DVC: .*{why}.*\n", done.stderr, re.DOTALL)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("started", [".", "photos"])
def test_the_locks_of_both_pipelines_and_the_list_of_who_is_busy_are_mended(tmp_path, monkeypatch, started):
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    for folder in (tmp_path, tmp_path / "photos"):
        (folder / ".state").mkdir(parents=True)
        (folder / "dvc.yaml").write_text(PIPELINE)
        (folder / ".state/dvc.lock").write_text(LOCK)
        (folder / "dvc.lock").write_text(LOCK[:40])
    (tmp_path / ".dvc/tmp/rwlock").write_text("{")
    command = [sys.executable, "-m", "tools.recover"]
    done = subprocess.run(command, cwd=started, env=clones.environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True)
    assert done.returncode == 0
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["dvc.lock", "photos/dvc.lock", ".dvc/tmp/rwlock"]
    assert [(tmp_path / folder / "dvc.lock").read_text() for folder in (".", "photos")] == [LOCK, LOCK]
    assert not (tmp_path / ".dvc/tmp/rwlock").exists()
