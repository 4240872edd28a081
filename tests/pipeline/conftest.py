"""Temporary clones of the project in which real `dvc repro`s run at scale smoke."""

import contextlib
import copy
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.support import clones, pruning


class Clone:
    """A committed copy of the working tree at scale smoke, with a DVC cache of its own; `first` is its first run."""

    first: subprocess.CompletedProcess[str]

    def __init__(self, folder: Path, datasets: Path, jobs: int | str = "auto") -> None:
        self.folder, self.datasets = folder, datasets
        clones.copy_files(folder)
        prune(folder, jobs)
        photos = folder / "photos/params.yaml"
        photos.write_text(photos.read_text().replace("scale: quick", "scale: smoke", 1))
        self.run("git", "init", "-q", "-b", "main")
        self.commit("the project at scale smoke")

    def run(self, *command: str, check: bool = True, inside: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command in the clone or a folder `inside` it, with the tests' own Python and DVC first on the PATH."""
        environment = clones.environment(
            DATASETS_DIR=str(self.datasets),
            GIT_AUTHOR_NAME="test", GIT_AUTHOR_EMAIL="test@localhost",
            GIT_COMMITTER_NAME="test", GIT_COMMITTER_EMAIL="test@localhost",
        )  # fmt: skip
        done = subprocess.run(command, cwd=self.folder / inside, env=environment, capture_output=True, text=True)
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def cloned(self, folder: Path) -> "Clone":
        """A `git clone` of it: what a colleague has, without cache."""
        self.run("git", "clone", "-q", ".", str(folder))
        other = copy.copy(self)
        other.folder = folder
        return other

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)


def prune(folder: Path, jobs: int | str) -> None:
    """Leaves one experiment of each kind in the first pipeline, at scale smoke; params.yaml keeps its comments."""

    def prune_params(settings: clones.Settings) -> None:
        pruning.prune(settings)
        settings["compute"]["jobs"] = jobs

    yaml = YAML()
    yaml.preserve_quotes = True
    for name, change in (("params.yaml", prune_params), ("dvc.yaml", pruning.prune_plots)):
        content = yaml.load((folder / name).read_text())
        change(content)
        with (folder / name).open("w") as stream:
            yaml.dump(content, stream)


@pytest.fixture(scope="session")
def datasets() -> Path:
    """A folder with the fetched archives: the user's or the project's cache, filled from the registries where it is empty."""
    if os.environ.get("DATASETS_DIR"):
        return Path(os.environ["DATASETS_DIR"])
    return ROOT / ".cache" / "downloads"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of pytest, the same for all workers of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until no other worker is in such a block."""
    with (folder / "undisturbed.waiting").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory, datasets: Path, shared: Path) -> Clone:
    """A clone in which the whole pipeline has run once at scale smoke, one job after the other, committed."""
    clone = Clone(tmp_path_factory.mktemp("smoke"), datasets, jobs=1)
    with alone(shared):
        clone.first = clone.run("dvc", "repro")
        (shared / "undisturbed").mkdir(exist_ok=True)
        for name in ("params.yaml", "dvc.lock"):
            shutil.copy2(clone.folder / name, shared / "undisturbed")
    fetched = clone.folder / ".cache" / "downloads"
    if fetched.is_dir() and not os.environ.get("DATASETS_DIR"):
        datasets.mkdir(parents=True, exist_ok=True)
        for path in filter(Path.is_file, fetched.iterdir()):
            shutil.copy2(path, partial := datasets / f"{path.name}.partial")
            os.replace(partial, datasets / path.name)
    clone.commit("the first run")
    return clone


@pytest.fixture
def undisturbed(request: pytest.FixtureRequest, shared: Path) -> Callable[[], Path]:
    """Gives a folder with params.yaml and dvc.lock of `smoke` as it was at first, whichever worker has it."""

    def folder() -> Path:
        with alone(shared):
            made = (shared / "undisturbed/dvc.lock").is_file()
        if not made:
            request.getfixturevalue("smoke")
        return shared / "undisturbed"

    return folder


@pytest.fixture
def fresh(tmp_path: Path, datasets: Path) -> Clone:
    """A clone in which nothing has run."""
    return Clone(tmp_path, datasets)


@pytest.fixture
def two_jobs(tmp_path: Path, datasets: Path) -> Clone:
    """A clone in which nothing has run, and two jobs will run at once."""
    return Clone(tmp_path, datasets, jobs=2)
