"""Re-hash what the remote holds of this commit; name the files whose objects are missing or damaged, and the cure.

    python -m tools.check_remote [--listings] [--remove] [--remote NAME]

Reads  dvc.lock, photos/dvc.lock, every object in the remote of an output that is pushed
Writes nothing; with --remove it deletes damaged objects from the remote

`dvc pull` with `verify` re-hashes the files that arrive and names the output that lacks one. The listing of a folder's files
it follows unchecked: --listings checks just these, in seconds, as `make pull` does first.
"""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from tqdm import tqdm

from relearn.process import command

BLOCK = 1 << 20  # bytes read at a time
LISTING = ".dir"  # what DVC calls the objects that list a folder's files


def main() -> None:
    parser = command.parser()
    parser.add_argument("--listings", action="store_true", help="only the listings of folders: seconds, before a pull")
    parser.add_argument("--remove", action="store_true", help="delete what is damaged, so that `dvc push` brings it again")
    parser.add_argument("--remote", help="its name (default: the default remote)")
    arguments = parser.parse_args()
    with command.told():
        try:
            print(checked(arguments.remote, arguments.listings, arguments.remove))
        except DvcException as error:
            raise ValueError(str(error)) from error


def checked(remote_name: str | None = None, only_listings: bool = False, remove: bool = False) -> str:
    """A line that says how many objects are whole. ValueError, after a line for each one that is not."""
    with Repo() as repo:
        repo.drop_data_index()  # DVC keeps the listings it has read, damaged ones too, and would follow them again
        name = remote_name or repo.config["core"].get("remote")
        remote = repo.cloud.get_remote_odb(remote_name, "push")
        try:
            remote.fs.exists(remote.path)
        except Exception as error:  # each kind of storage has a family of its own
            raise ValueError(f"{name} cannot be reached: {str(error) or type(error).__name__}") from error
        paths, wrong = check(repo, remote, only_listings, remove)
    for oid, state in sorted(wrong.items(), key=lambda item: paths[item[0]]):
        print(f"{state}: {paths[oid]}, object {oid[:2]}/{oid[2:]}")
    if wrong:
        cure = "" if remove else "`python -m tools.check_remote --remove`, then "
        count = f"{len(wrong)} of {len(paths)} objects are not whole in {name}"
        raise ValueError(f"{count}: {cure}`dvc push` from a clone that has them")
    if not remote.verify:
        raise ValueError(f"what is pulled from {name} is not re-hashed: `dvc remote modify {name} verify true`")
    return f"{name}: {len(paths)} {'listings' if only_listings else 'objects'}, each as its hash says"


def check(repo: Any, remote: Any, only_listings: bool, remove: bool) -> tuple[dict[str, str], dict[str, str]]:
    """The objects that `dvc push` sends, each with its path, and those of them that are `missing` or `damaged`.

    A listing that is only missing is nothing wrong for `only_listings`: `dvc pull` says so itself.
    """
    outputs = {out.hash_info.value: str(out) for out in pushed(repo)}
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


def pushed(repo: Any) -> list[Any]:
    """The outputs that `dvc push` sends."""
    return [out for out in repo.index.outs if out.use_cache and out.can_push and out.hash_info]


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
