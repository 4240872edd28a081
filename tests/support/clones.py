"""Temporary copies of the project, with a git repository and a DVC cache of their own, in which to run it and to break it."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from relearn.process import command

ROOT = Path(__file__).parents[2]
OUTPUTS = re.compile(r"(photos/)?(metrics/|plots/|reports/|dvc\.lock)")

OWN_CACHE = "[cache]\n    dir = cache\n"  # whatever cache this user's other projects share
OWN_SETTINGS = ["-c", "user.name=relearn", "-c", "user.email=relearn@localhost", "-c", "commit.gpgsign=false",
                "-c", "core.hooksPath=/dev/null"]  # fmt: skip

environment = command.environment

Settings = dict[str, Any]
Change = Callable[[Settings], None]  # of settings, in place


def copy(folder: Path, change: Change, photos: Change | None = None) -> None:
    """Copies the working tree into `folder`, without outputs and what git ignores, and commits it there.

    change: of params.yaml. photos: of photos/params.yaml.
    """
    for name in _output("git", "ls-files", "-z", "-co", "--exclude-standard", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file() and not OUTPUTS.match(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    rewrite(folder / "params.yaml", change)
    if photos:
        rewrite(folder / "photos/params.yaml", photos)
    (folder / ".dvc/config.local").write_text(OWN_CACHE)
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "a copy"]):
        _output("git", *OWN_SETTINGS, *arguments, cwd=folder)


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


def _output(*arguments: str, cwd: Path) -> str:
    return subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, check=True).stdout
