"""Fetch the results of this commit from the remote, checked: all that `dvc push` sends, which no photograph is.

    python -m tools.pull

Reads  dvc.lock, photos/dvc.lock, the default remote
Writes the outputs that are pushed, and DVC's cache

`dvc pull` alone fetches the same, and ends in an error, since outputs with `push: false` are in no remote. With its
--allow-missing it is silent about others, too: these are named here.
"""

import os
import subprocess

from dvc.exceptions import DvcException
from dvc.repo import Repo

from relearn.data import places
from relearn.process import command
from tools import check_remote


def main() -> None:
    os.chdir(places.top())
    try:
        print(check_remote.checked(only_listings=True), flush=True)  # DVC follows these unchecked
        done = subprocess.run(["dvc", "pull", "--allow-missing"], env=command.environment(), check=False)
        lacking = absent()
    except DvcException as error:
        raise ValueError(str(error)) from error
    if lacking:
        cure = "`python -m tools.check_remote` names what is not whole in the remote"
        raise ValueError(f"{', '.join(lacking)}: not here as dvc.lock has it: {cure}")
    if done.returncode:
        raise ValueError("dvc pull failed")


def absent() -> list[str]:
    """Outputs that are pushed, and are not here as dvc.lock has them."""
    with Repo() as repo, repo.lock:
        return [str(out) for out in check_remote.pushed(repo) if out.status()]


if __name__ == "__main__":
    command.run(main)
