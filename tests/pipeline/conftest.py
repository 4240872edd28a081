"""Temporary clones of the project in which real `dvc repro`s run at scale smoke."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


class Clone:
    """A committed copy of the working tree at scale smoke, with a DVC cache of its own."""

    def __init__(self, folder: Path, datasets: Path) -> None:
        self.folder, self.datasets = folder, datasets
        listed = subprocess.run(
            ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\0")
        for name in filter(None, listed):
            if (ROOT / name).is_file() and not name.startswith(("metrics/", "plots/", "reports/", "dvc.lock")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        text = (folder / "params.yaml").read_text()
        (folder / "params.yaml").write_text(text.replace("scale: quick", "scale: smoke", 1))
        self.run("git", "init", "-q", "-b", "main")
        self.commit("the project at scale smoke")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command in the clone, with the tests' own Python and DVC first on the PATH."""
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DATASETS_DIR": str(self.datasets),
            "GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@localhost",
            "GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@localhost",
        }  # fmt: skip
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)


@pytest.fixture(scope="session")
def datasets() -> Path:
    """A folder with the fetched archives: the user's or the project's cache, filled from the registries where it is empty."""
    if os.environ.get("DATASETS_DIR"):
        return Path(os.environ["DATASETS_DIR"])
    return ROOT / ".cache" / "downloads"


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory, datasets: Path) -> Clone:
    """A clone in which the whole pipeline has run once at scale smoke, committed."""
    clone = Clone(tmp_path_factory.mktemp("smoke"), datasets)
    clone.first = clone.run("dvc", "repro")  # type: ignore[attr-defined]
    fetched = clone.folder / ".cache" / "downloads"
    if fetched.is_dir() and not os.environ.get("DATASETS_DIR"):
        datasets.mkdir(parents=True, exist_ok=True)
        for path in filter(Path.is_file, fetched.iterdir()):
            shutil.copy2(path, datasets / path.name)
    clone.commit("the first run")
    return clone


@pytest.fixture
def another(tmp_path: Path, datasets: Path, smoke: Clone) -> Clone:
    """A second clone, without cache."""
    return Clone(tmp_path, datasets)
