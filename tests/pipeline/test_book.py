"""`make book` at scale smoke, killed twice: what it keeps is what an undisturbed run gives."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.pipeline.conftest import Clone
from tests.support import clones

PATIENCE = 120  # seconds
BOOK = [sys.executable, "-c", "from tools import book; book.main(['--only', 'T1'], scale='smoke')"]
KEPT = [
    "metrics/evaluate/lenet.json", "metrics/train/lenet.json", "plots/confusion/lenet.csv", "plots/evaluate/lenet.json",
    "plots/history/lenet.csv", "plots/roc/lenet.csv",
]  # fmt: skip


@dataclass
class Sittings:
    """A clone in which `make book` was killed twice before it ended."""

    clone: Clone
    outputs: list[str] = field(default_factory=list)
    alive: list[psutil.Process] = field(default_factory=list)
    kept: list[list[str]] = field(default_factory=list)  # after each

    @property
    def copy(self) -> Path:
        return self.clone.folder / ".book/seed_14"

    @property
    def book(self) -> Path:
        return self.clone.folder / "results/book/seed_14"

    def sit(self, stage: str = "", group: bool = False) -> None:
        """Runs it; with a `stage`, until that has begun: then SIGKILL, to the whole group as when a machine goes down."""
        log = self.clone.folder.parent / f"book{len(self.outputs)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(BOOK, cwd=self.clone.folder, stdout=stream, stderr=subprocess.STDOUT,
                                       env=clones.environment(DATASETS_DIR=str(self.clone.datasets)),
                                       start_new_session=True)  # fmt: skip
        end = time.monotonic() + PATIENCE
        while stage and f"{stage} begins" not in log.read_text() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if stage:
            below = psutil.Process(process.pid).children(recursive=True)
            (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
            self.alive += psutil.wait_procs(below, timeout=PATIENCE)[1]
        process.wait(PATIENCE)
        self.outputs.append(log.read_text())
        self.kept.append([name for name in KEPT if (self.book / name).is_file()])


@pytest.fixture(scope="module")
def sittings(tmp_path_factory, datasets):
    clone = Clone(tmp_path_factory.mktemp("book") / "clone", datasets, jobs=1)
    shutil.rmtree(clone.folder / "results")
    clone.commit("nothing kept yet")
    sittings = Sittings(clone)
    sittings.sit("train@lenet")
    (clone.folder / "relearn/note.md").write_text("a commit meanwhile, which no stage depends on")
    clone.run("git", "add", "relearn/note.md")
    clone.run("git", "commit", "-q", "-m", "meanwhile")
    sittings.sit("evaluate@lenet", group=True)
    sittings.sit()
    return sittings


def test_killed_twice_it_keeps_what_an_undisturbed_run_gives(sittings, request):
    assert "Traceback" not in "".join(sittings.outputs)
    assert sittings.kept[0] == []
    assert sittings.kept[1] in ([], [KEPT[1], KEPT[4]])  # what had ended is kept at once, or when the command goes on
    assert sittings.kept[2] == KEPT
    assert sorted(path.relative_to(sittings.book).as_posix() for path in sittings.book.glob("*/**/*.*")) == KEPT
    first_run = request.getfixturevalue("first_run")  # made meanwhile, by another worker
    for name in KEPT:
        assert (sittings.book / name).read_bytes() == (first_run.folder / name).read_bytes()


def test_no_process_outlives_it_and_none_of_its_stages_runs_twice(sittings):
    assert sittings.alive == []
    ended = [line.split()[1] for output in sittings.outputs for line in output.splitlines() if " took " in line]
    assert sorted(ended) == ["download@mnist", "evaluate@lenet", "relabel@mnist_in_order", "train@lenet"]


def test_a_new_commit_is_taken_over_and_the_projects_own_results_stay(sittings):
    assert (sittings.copy / "relearn/note.md").is_file()
    assert sittings.clone.run("git", "status", "--porcelain", "--untracked-files=all").stdout.splitlines() == [
        f"?? results/book/seed_14/{name}" for name in sorted([*KEPT, "dvc.lock", "params.yaml", "runs.json"])
    ]


def test_it_says_before_it_begins_what_will_run_and_how_long_and_on_what_it_ran(sittings):
    before = sittings.outputs[0].partition("download@mnist begins")[0]
    assert [name for name in ("train@lenet", "evaluate@lenet", "About ", "guessed") if name not in before] == []
    runs = json.loads((sittings.book / "runs.json").read_text())
    assert list(runs) == ["evaluate@lenet", "train@lenet"]
    assert runs["train@lenet"].keys() == {"processor", "commit", "precision", "threads", "versions", "seconds"}
    assert (runs["train@lenet"]["precision"], runs["train@lenet"]["threads"]) == ("float32", 1)
    assert runs["train@lenet"]["seconds"] > 0
    first, second = sittings.clone.run("git", "log", "-2", "--format=%h", "--reverse").stdout.split()
    assert (runs["train@lenet"]["commit"], runs["evaluate@lenet"]["commit"]) == (second, second)
    assert first != second


def test_code_that_is_not_committed_is_refused_in_a_line(sittings):
    with (sittings.clone.folder / "stages/train.py").open("a") as stream:
        stream.write("# an idea\n")
    done = sittings.clone.run(*BOOK, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: stages/train.py: not as in HEAD, which `make book` runs: commit or stash first"]
