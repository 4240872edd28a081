"""Temporary copies of the project, with a git repository and a DVC cache of their own, in which to run it and to break it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
OUTPUTS = re.compile(r"(photos/)?(metrics/|plots/|reports/|dvc\.lock)")

OWN_CACHE = "[cache]\n    dir = cache\n"  # whatever cache this user's other projects share
OWN_SETTINGS = ["-c", "user.name=relearn", "-c", "user.email=relearn@localhost", "-c", "commit.gpgsign=false",
                "-c", "core.hooksPath=/dev/null"]  # fmt: skip

Settings = dict[str, Any]


def copy(folder: Path, change: Callable[[Settings], None], commit: str | None = None, inside: str = "") -> None:
    """Copies the project without its outputs into `folder`, with params.yaml as `change` leaves it, committed there.

    commit: take the files of this commit instead of those in the working tree. inside: the folder of the pipeline whose
    params.yaml is changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if commit:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
    else:
        copy_files(folder)
    for path in folder.rglob("*"):
        if path.is_file() and OUTPUTS.match(path.relative_to(folder).as_posix()):
            path.unlink()
    path = folder / inside / "params.yaml"
    settings = YAML(typ="safe").load(path.read_text())
    change(settings)
    with path.open("w") as stream:
        YAML().dump(settings, stream)
    (folder / inside / ".dvc/config.local").write_text(OWN_CACHE)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "a copy"]):
        _output("git", *OWN_SETTINGS, *command, cwd=folder)


def copy_files(folder: Path) -> None:
    """Copies the working tree without what git ignores and without outputs."""
    for name in _output("git", "ls-files", "-z", "-co", "--exclude-standard", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file() and not OUTPUTS.match(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def environment(**more: str) -> dict[str, str]:
    """The environment of this process with this Python and its DVC first on the PATH."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | more


def downloads() -> Path:
    """Where the archives are that the project fetches: the user's folder, or the cache, which `make repro` fills."""
    return Path(os.environ.get("DATASETS_DIR") or ROOT / ".cache/downloads")


def lock(folder: Path) -> dict[str, Any]:
    """The stages of dvc.lock."""
    return dict(YAML(typ="safe").load((folder / "dvc.lock").read_text())["stages"])


def _output(*command: str, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout
