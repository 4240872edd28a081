"""Run stages again in a clone without cache, and compare what comes out with the committed dvc.lock.

    python -m tools.verify [stage ...] [--set key=value ...]

Without stages: a few of each kind. Says "17 of 17 outputs identical", or which differ and by how much; ends with 1 then.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support import clones
from tests.support.clones import Settings

DEFAULT = ("evaluate@lenet", "classify@probe", "train@head_best", "finetune@freeze_both", "style_transfer@pagoda")


def main() -> None:
    parser = argparse.ArgumentParser(description="Run stages again without cache and compare with the committed dvc.lock.")
    parser.add_argument("stages", nargs="*", default=DEFAULT, help=f"of dvc.yaml; each with all it needs ({', '.join(DEFAULT)})")
    parser.add_argument("--commit", default="HEAD", help="whose code, params and dvc.lock")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="params to change: compute.threads=1")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="verify-") as temporary:
        clone = Path(temporary)
        try:
            clones.copy(clone, lambda settings: change(settings, wanted.set), wanted.commit)
        except subprocess.CalledProcessError as error:
            sys.exit(f"error: --commit {wanted.commit}: {error.stderr.decode().strip()}")
        links(clone)
        committed = YAML(typ="safe").load(shown(wanted.commit, "dvc.lock"))["stages"]
        if unknown := sorted(set(wanted.stages) - set(committed)):
            sys.exit(f"error: {', '.join(unknown)}: not in dvc.lock; `dvc stage list --name-only` lists the stages")
        done = subprocess.run(["dvc", "repro", *wanted.stages], cwd=clone, env=clones.environment(), check=False)
        if done.returncode:
            sys.exit("error: dvc repro failed in the clone")
        same, differing = compare(committed, clones.lock(clone))
        for path in differing:
            print(f"differs: {path}")
            for line in by_how_much(wanted.commit, clone, path):
                print(f"    {line}")
    total = same + len(differing)
    print(f"{same} of {total} outputs of {len(set(wanted.stages))} stages and what they need are identical")
    sys.exit(1 if differing else 0)


def links(clone: Path) -> None:
    """Gives the clone this project's downloads, which are checked by SHA-256 all the same."""
    downloads = clones.ROOT / ".cache/downloads"
    if downloads.is_dir():
        (clone / ".cache").mkdir()
        (clone / ".cache/downloads").symlink_to(downloads)


def change(settings: Settings, assignments: list[str]) -> None:
    """Sets `a.b=value` in the parameters. SystemExit naming the key when there is none of that name."""
    for assignment in assignments:
        path, _, value = assignment.partition("=")
        node: Any = settings
        *parents, last = path.split(".")
        for name in parents:
            node = node.get(name, {})
        if last not in node:
            sys.exit(f"error: --set {assignment}: params.yaml has no {path}")
        node[last] = YAML(typ="safe").load(value)


def compare(committed: dict[str, Any], made: dict[str, Any]) -> tuple[int, list[str]]:
    """How many outputs of the stages in `made` have the committed hash, and the paths of the others."""
    same, differing = 0, []
    for name, stage in made.items():
        expected = {out["path"]: out["md5"] for out in committed.get(name, {}).get("outs", [])}
        for out in stage.get("outs", []):
            if expected.get(out["path"]) == out["md5"]:
                same += 1
            else:
                differing.append(out["path"])
    return same, differing


def by_how_much(commit: str, clone: Path, path: str) -> Iterator[str]:
    """The numbers of a metrics file that differ, committed and made."""
    if not path.endswith(".json") or not path.startswith("metrics/"):
        return
    try:
        before = json.loads(shown(commit, path))
    except subprocess.CalledProcessError:
        return
    after = json.loads((clone / path).read_text())
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"{name}: {before.get(name)} committed, {after.get(name)} here"


def shown(commit: str, path: str) -> str:
    """A file of a commit."""
    return subprocess.run(["git", "show", f"{commit}:{path}"], cwd=clones.ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
