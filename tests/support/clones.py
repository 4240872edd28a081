"""Temporary copies of the project, with a git repository and a DVC cache of their own, in which to run it and to break it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.lib import workplaces
from relearn.process import command

ROOT, OWN_CACHE = workplaces.ROOT, workplaces.OWN_CACHE
OWN_SETTINGS = ["-c", "user.name=relearn", "-c", "user.email=relearn@localhost", "-c", "commit.gpgsign=false",
                "-c", "core.hooksPath=/dev/null"]  # fmt: skip

environment = command.environment

Settings = dict[str, Any]
Change = Callable[[Settings], None]  # of settings, in place


def copy(folder: Path, change: Change, photos: Change | None = None) -> None:
    """Copies the working tree into `folder`, without outputs and what git ignores, and commits it there.

    change: of params.yaml. photos: of photos/params.yaml.
    """
    workplaces.copy_files(folder)
    rewrite(folder / "params.yaml", change)
    if photos:
        rewrite(folder / "photos/params.yaml", photos)
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "a copy"]):
        subprocess.run(["git", *OWN_SETTINGS, *arguments], cwd=folder, check=True)


def rewrite(path: Path, change: Change) -> None:
    """Lets `change` change a YAML file, which keeps its comments."""
    yaml = YAML()
    yaml.preserve_quotes = True
    content = yaml.load(path.read_text())
    change(content)
    with path.open("w") as stream:
        yaml.dump(content, stream)


def downloads() -> Path:
    """Where the archives are that the project downloads: the user's folder, or the cache, which `make repro` fills."""
    return Path(os.environ.get("DATASETS_DIR") or ROOT / ".cache/downloads")


def lock(folder: Path) -> dict[str, Any]:
    """The stages of the dvc.lock in `folder`."""
    return dict(YAML(typ="safe").load((folder / "dvc.lock").read_text())["stages"])
