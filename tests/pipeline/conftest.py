"""Temporary clones of the project in which `make repro` and `dvc repro` run at scale smoke."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import clones, pruning, samples


class Clone:
    """A committed copy of the working tree with one experiment of each kind at scale smoke, and a DVC cache of its own."""

    def __init__(self, folder: Path, datasets: Path, jobs: int | str = "auto", photos: clones.Change | None = None) -> None:
        def change(settings: clones.Settings) -> None:
            pruning.prune(settings)
            settings["compute"]["jobs"] = jobs

        self.folder, self.datasets = folder, datasets
        clones.copy(folder, change, photos=photos)
        clones.rewrite(folder / "dvc.yaml", pruning.prune_plots)
        self.commit("plots of what is left")

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
        return Clone.there(folder, self.datasets)

    @classmethod
    def there(cls, folder: Path, datasets: Path) -> "Clone":
        """The clone that is in `folder` already."""
        clone = cls.__new__(cls)
        clone.folder, clone.datasets = folder, datasets
        return clone

    def first(self, pipeline: str) -> Path:
        """The file beside the clone with what the first run of a dvc.yaml printed."""
        return self.folder.parent / f"{pipeline.replace('/', '_')}.log"

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)


@pytest.fixture(scope="session")
def datasets() -> Path:
    """A folder with the downloaded archives: the user's or the project's cache, filled from the registries where it is empty."""
    return clones.downloads()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of pytest, the same for all workers of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until no other worker is in such a block."""
    with (folder / "alone.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def first_run(shared: Path, datasets: Path) -> Clone:
    """A clone in which both pipelines have run once, two stages at a time, committed; whoever needs it first makes it.

    No test changes it (`smoke` is a copy). The folder `pictures` beside it has a user's photographs.
    """
    place = shared / "first_run"
    with alone(shared):
        if (place / "done").is_file():
            return Clone.there(place / "clone", datasets)
        if place.is_dir():
            pytest.fail("the first run has failed for another test")
        place.mkdir()
        clone = Clone(place / "clone", datasets, jobs=1, photos=my_photos)
        run_first(clone)
        keep_downloads(clone.folder / ".cache/downloads", datasets)
        (place / "done").touch()
        return clone


def my_photos(settings: clones.Settings) -> None:
    samples.prune(settings, "../../pictures", {"my_photos": "frozen"})


def run_first(clone: Clone) -> None:
    """Runs both pipelines as `make repro` does: of the photographs one cannot be read, and one is there twice."""
    samples.folder(pictures := clone.folder.parent / "pictures")
    (pictures / "red" / "broken.jpg").write_text("no picture")
    (pictures / "blue" / "again.jpg").write_bytes((pictures / "blue" / "blue_3.jpg").read_bytes())
    for pipeline in ("dvc.yaml", "photos/dvc.yaml"):
        clone.first(pipeline).write_text(clone.run("python", "-m", "tools.repro", "--jobs", "2", pipeline).stdout)
    clone.commit("the first run")


def keep_downloads(downloaded: Path, datasets: Path) -> None:
    """Moves what a clone had to download to the project's own cache; a user's folder is never written."""
    if downloaded.is_dir() and not os.environ.get("DATASETS_DIR"):
        datasets.mkdir(parents=True, exist_ok=True)
        for path in filter(Path.is_file, downloaded.iterdir()):
            shutil.copy2(path, partial := datasets / f"{path.name}.partial")
            os.replace(partial, datasets / path.name)
        shutil.rmtree(downloaded)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory, first_run: Clone) -> Clone:
    """A copy of the first run's clone and of the photographs, for the tests of one file."""
    place = tmp_path_factory.mktemp("smoke")
    shutil.copytree(first_run.folder.parent, place, symlinks=True, dirs_exist_ok=True)
    return Clone.there(place / "clone", first_run.datasets)


@pytest.fixture
def fresh(tmp_path: Path, datasets: Path) -> Clone:
    """A clone in which nothing has run."""
    return Clone(tmp_path, datasets)


@pytest.fixture
def two_jobs(tmp_path: Path, datasets: Path) -> Clone:
    """A clone in which nothing has run, and two jobs will run at once."""
    return Clone(tmp_path, datasets, jobs=2)
