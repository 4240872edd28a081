"""Re-hash what the remote holds of this commit; name the files whose objects are missing or damaged, and the cure.

python -m tools.check_remote [photos] [--listings] [--remove] [--remote NAME]

`dvc pull` with `verify` re-hashes the files that arrive and names the output that lacks one. The listing that tells a folder's
files it follows unchecked: --listings checks just these, in seconds, and `make pull` does that first.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from tqdm import tqdm

BLOCK = 1 << 20  # bytes read at a time
LISTING = ".dir"  # what DVC calls the objects that list a folder's files


def main() -> None:
    parser = argparse.ArgumentParser(description="Re-hash what the remote holds of this commit, and name what is damaged.")
    parser.add_argument("pipeline", nargs="?", default=".", help="the folder of a dvc.yaml: photos (default: this one)")
    parser.add_argument("--listings", action="store_true", help="only the listings of folders: seconds, before a pull")
    parser.add_argument("--remove", action="store_true", help="delete what is damaged, so that `dvc push` brings it again")
    parser.add_argument("--remote", help="its name (default: the default remote)")
    wanted = parser.parse_args()
    try:
        with Repo(wanted.pipeline) as repo:
            repo.drop_data_index()  # DVC keeps the listings it has read, damaged ones too, and would follow them again
            name = wanted.remote or repo.config["core"].get("remote")
            remote = repo.cloud.get_remote_odb(wanted.remote, "push")
            try:
                remote.fs.exists(remote.path)
            except Exception as error:  # each kind of storage has a family of its own
                sys.exit(f"error: {name} cannot be reached: {error or type(error).__name__}")
            paths, wrong = check(repo, remote, wanted.listings, wanted.remove)
    except (DvcException, OSError) as error:
        sys.exit(f"error: {error}")
    for oid, state in sorted(wrong.items(), key=lambda item: paths[item[0]]):
        print(f"{state}: {paths[oid]}, object {oid[:2]}/{oid[2:]}")
    if wrong:
        cure = "" if wanted.remove else f"`python -m tools.check_remote {wanted.pipeline} --remove`, then "
        sys.exit(
            f"error: {len(wrong)} of {len(paths)} objects are not whole in {name}: {cure}`dvc push` from a clone that has them"
        )
    if not remote.verify:
        sys.exit(f"error: what is pulled from {name} is not re-hashed: `dvc remote modify {name} verify true`")
    print(f"{name}: {len(paths)} {'listings' if wanted.listings else 'objects'}, each as its hash says")


def check(repo: Any, remote: Any, only_listings: bool, remove: bool) -> tuple[dict[str, str], dict[str, str]]:
    """The objects looked at, each with its path, and those that are `missing` or `damaged`.

    A listing that is only missing is nothing wrong for `only_listings`: `dvc pull` says so itself.
    """
    outputs = {out.hash_info.value: str(out) for out in repo.index.outs if out.use_cache and out.hash_info}
    listings = {oid: f"{output}/ (the listing of its files)" for oid, output in outputs.items() if oid.endswith(LISTING)}
    wrong = differing(remote, listings)
    folders = {oid: files(remote, oid) for oid in listings.keys() - wrong.keys()}
    if only_listings:
        paths, wrong = listings, {oid: state for oid, state in wrong.items() if state == "damaged"}
    else:
        paths = outputs | listings
        for oid, content in folders.items():
            paths |= {file: f"{outputs[oid]}/{path}" for file, path in content.items()}
        wrong |= differing(remote, paths.keys() - listings.keys())
    if remove:
        # `dvc push` takes a folder's files for there when its listing is.
        incomplete = {oid for oid, content in folders.items() if wrong.keys() & content.keys()}
        for oid in incomplete | {oid for oid, state in wrong.items() if state == "damaged"}:
            remote.delete(oid)
    return paths, wrong


def differing(remote: Any, oids: Iterable[str]) -> dict[str, str]:
    """Those of the objects that are not what their hash says: `missing` or `damaged`."""

    def state(oid: str) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with remote.fs.open(remote.oid_to_path(oid), "rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
        except FileNotFoundError:
            return "missing"
        return "" if digest.hexdigest() == oid.removesuffix(LISTING) else "damaged"

    oids = list(oids)
    with ThreadPoolExecutor(remote.fs.jobs) as pool:
        states = list(tqdm(pool.map(state, oids), total=len(oids), unit=" objects", leave=False, disable=None))
    return {oid: state for oid, state in zip(oids, states, strict=True) if state}


def files(remote: Any, listing: str) -> dict[str, str]:
    """The files of a folder, each object with its path."""
    with remote.fs.open(remote.oid_to_path(listing), "rb") as stream:
        return {entry["md5"]: entry["relpath"] for entry in json.load(stream)}


if __name__ == "__main__":
    main()
