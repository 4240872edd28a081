"""Run stages again in a clone without cache, and compare what they write with the committed dvc.lock.

    python -m tools.verify
    python -m tools.verify evaluate@lenet photos/dvc.yaml:probe@flowers17 --set compute.threads=1

Reads  this repository at HEAD; .cache/downloads
Writes nothing: the clone is temporary

Without stages: a few of each kind. Says "17 of 17 outputs are identical", or which differ and by how much; ends with 1 then.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML

from relearn.data import pins, places
from relearn.process import command
from relearn.review.changes import git

DEFAULT = ("evaluate@lenet", "classify@probe", "train@head_best", "finetune@freeze_both", "style_transfer@pagoda")
PARAMS = "params.yaml"

Lock = dict[str, dict[str, str]]  # of each stage, as `dvc repro` takes it: its outputs' hashes by path, seen from the top


def main() -> None:
    parser = command.parser()
    parser.add_argument("stages", nargs="*", default=DEFAULT, help=f"each with all it needs ({', '.join(DEFAULT)})")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="params to change: compute.threads=1")
    arguments = parser.parse_args()
    os.chdir(places.top())
    with command.told(), tempfile.TemporaryDirectory(prefix="verify-") as name:
        clone = Path(name)
        cloned(clone)
        change(clone / PARAMS, arguments.set)
        same, differing = compare(*run(clone, arguments.stages))
        for path in differing:
            print(f"differs: {path}")
            for line in by_how_much(clone, path):
                print(f"    {line}")
    print(f"{same} of {same + len(differing)} outputs are identical")
    sys.exit(1 if differing else 0)


def cloned(clone: Path) -> None:
    """Clones this repository at HEAD, with a cache of its own and our downloads, which are checked all the same."""
    git("clone", "--quiet", ".", str(clone))
    (clone / ".dvc/config.local").write_text("[cache]\n    dir = cache\n")  # whatever cache this user's projects share
    if places.downloads().is_dir():
        (clone / ".cache").mkdir()
        (clone / ".cache/downloads").symlink_to(places.downloads().resolve())


def change(path: Path, assignments: Sequence[str]) -> None:
    """Sets `a.b=value` in a file of parameters. ValueError naming the key when there is none of that name."""
    settings = YAML(typ="safe").load(path.read_text())
    for assignment in assignments:
        key, _, value = assignment.partition("=")
        node: Any = settings
        *parents, last = key.split(".")
        for name in parents:
            node = node.get(name) if isinstance(node, dict) else None
        if not isinstance(node, dict) or last not in node:
            raise ValueError(f"--set {assignment}: {path.name} has no {key}")
        node[last] = YAML(typ="safe").load(value)
    with path.open("w") as stream:
        YAML().dump(settings, stream)


def run(clone: Path, stages: Sequence[str]) -> tuple[Lock, Lock]:
    """Runs these stages and all that they need in the clone. Gives the committed lock, and that of the stages that ran."""
    committed = lock(clone)
    if unknown := sorted(set(stages) - set(committed)):
        raise ValueError(f"{', '.join(unknown)}: not in dvc.lock; `dvc stage list --all --name-only` lists the stages")
    pins.clear()  # of this folder: the clone's parameters may be others
    for path in locks(clone):
        path.unlink()  # without it DVC has nothing to compare with, and skips no stage
    done = subprocess.run(["dvc", "repro", *stages], cwd=clone, env=command.environment(), check=False)
    if done.returncode:
        raise ValueError("dvc repro failed in the clone")
    return committed, lock(clone)


def locks(project: Path) -> list[Path]:
    """The lock of each of the project's pipelines."""
    return [*project.glob("dvc.lock"), *sorted(project.glob("[!.]*/dvc.lock"))]  # .state/ has a copy


def lock(project: Path) -> Lock:
    """What the project's locks say of outputs."""
    stages = {}
    for path in locks(project):
        folder = PurePosixPath(path.parent.relative_to(project))
        prefix = f"{folder}/dvc.yaml:" if folder.name else ""
        for name, stage in YAML(typ="safe").load(path.read_text())["stages"].items():
            stages[prefix + name] = {str(folder / out["path"]): out["md5"] for out in stage.get("outs", [])}
    return stages


def compare(committed: Mapping[str, Mapping[str, str]], again: Mapping[str, Mapping[str, str]]) -> tuple[int, list[str]]:
    """How many outputs of the stages in `again` have the committed hash, and the paths of the others."""
    expected = {path: md5 for outs in committed.values() for path, md5 in outs.items()}
    outs = {path: md5 for outs in again.values() for path, md5 in outs.items()}
    differing = [path for path, md5 in outs.items() if expected.get(path) != md5]
    return len(outs) - len(differing), differing


def by_how_much(clone: Path, path: str) -> Iterator[str]:
    """The numbers of a metrics file that differ, committed and here."""
    if not path.endswith(".json") or "metrics" not in PurePosixPath(path).parts[:2]:
        return
    try:
        before = json.loads(git("-C", str(clone), "show", f"HEAD:{path}"))
    except ValueError:
        return
    after = json.loads((clone / path).read_text())
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"{name}: {before.get(name)} committed, {after.get(name)} here"


if __name__ == "__main__":
    main()
