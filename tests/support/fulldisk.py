"""Run stages on a disk with room for half of what they write, then make room and run them again.

    python -m tools.fulldisk [stage ...]
    python -m tools.fulldisk --photos [stage ...]

Each stage of the small pipelines of tools/torture.py fails with a message that says so, and ends with the same bytes
once there is room. The disk is a file system in memory of that size; mounting it needs Linux with user namespaces.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import clones, torture
from tests.support.torture import Broken

ROOM = 2**30  # bytes, made after the failure
PAGE = 4096
SPARE = 16 * PAGE  # bytes for what DVC itself writes
# May mount for itself; its processes end with it, and it ends with us.
APART = ("unshare", "--map-root-user", "--mount", "--fork", "--pid", "--kill-child", "--mount-proc")
SCRIPT = """
set -e
mount -t tmpfs -o size={small} tmpfs {disk}
cp -a {folder}/. {disk}/
cd {disk}/{inside}
if dvc repro --single-item {stage} > {log}.full 2>&1; then echo "did not fail"; exit 3; fi
mount -o remount,size={large} {disk}
PYTHONPATH={disk} python -m tools.recover
dvc repro --single-item {stage} > {log}.again 2>&1
cp dvc.lock {log}.lock
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Run each stage on a disk that is too small, then on a larger one.")
    parser.add_argument("stages", nargs="*", help="of the small pipeline; all without")
    parser.add_argument("--photos", action="store_true", help="the pipeline for photographs")
    parser.add_argument("--archives", type=Path, default=clones.downloads(), help="a folder with the downloads (%(default)s)")
    wanted = parser.parse_args()
    if not can_mount():
        sys.exit("error: no file system in memory can be mounted here: `unshare --map-root-user --mount --pid` is refused")
    with torture.reduced(wanted.archives, wanted.photos) as (temporary, inside, change):
        clones.copy(whole := temporary / "whole", change, inside=inside)
        torture.run_to_end(whole / inside)
        stages = wanted.stages or list(clones.lock(whole / inside))
        small = [stage for stage in stages if half_of(whole / inside, stage) < SPARE]
        for stage in filter(lambda stage: stage not in small, stages):
            print(f"{stage:28} {refused(whole, stage, temporary, inside)}", flush=True)
    print(
        f"{len(stages) - len(small)} stages: each failed with a clear message, and ended with the same bytes once there was room"
    )
    print(f"left out, since they write next to nothing: {', '.join(small) or 'none'}")


def can_mount() -> bool:
    """Whether this process may mount a file system in a namespace of its own."""
    command = [*APART, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


def refused(whole: Path, stage: str, temporary: Path, inside: str = "", **settings: str) -> str:
    """The message of `stage` on a disk that takes half of its outputs. Broken when it is none, or the bytes differ after.

    whole: a project in which the pipeline in its folder `inside` has run.
    """
    part, disk, log = temporary / "part", temporary / "disk", temporary / "log"
    shutil.rmtree(part, ignore_errors=True)
    disk.mkdir(exist_ok=True)
    outs = [out["path"] for out in clones.lock(whole / inside)[stage]["outs"]]
    shutil.copytree(whole, part, symlinks=True, ignore=shutil.ignore_patterns("cache", ".cache", ".git"))
    half = half_of(whole / inside, stage)
    for path in (part / inside / out for out in outs):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    subprocess.run(["git", "init", "-q"], cwd=part, check=True)
    script = SCRIPT.format(
        small=used(part) + half + SPARE, large=ROOM + used(part), disk=disk, folder=part, inside=inside, stage=stage, log=log
    )
    command = [*APART, "sh", "-c", script]
    full, again = Path(f"{log}.full"), Path(f"{log}.again")
    for path in (full, again):
        path.write_text("")
    done = subprocess.run(command, env=clones.environment(**settings), capture_output=True, text=True, check=False)
    text = full.read_text().replace("\r", "\n")
    if done.returncode:
        raise Broken(f"{stage}: {done.stdout}{done.stderr}\n{text[-1500:]}\n{again.read_text()[-1500:]}")
    lines = [line for line in text.splitlines() if "No space left" in line or "disk is full" in line]
    if not lines or "Traceback" in text:
        raise Broken(f"{stage}: no clear message:\n{text[-3000:]}")
    if Path(f"{log}.lock").read_bytes() != (whole / inside / "dvc.lock").read_bytes():
        raise Broken(f"{stage}: another dvc.lock after there was room")
    return " ".join(" ".join(lines).split())[:160]


def half_of(whole: Path, stage: str) -> int:
    """Half of the bytes that a stage writes."""
    return sum(used(whole / out["path"]) for out in clones.lock(whole)[stage]["outs"]) // 2


def used(path: Path) -> int:
    """Bytes that a file or a folder's files take in whole pages: so counts a file system in memory, where folders take none."""
    files = [file for file in path.rglob("*") if not file.is_symlink()] if path.is_dir() else [path]
    return sum(-(-file.stat().st_size // PAGE) * PAGE for file in files if file.is_file())


if __name__ == "__main__":
    try:
        main()
    except Broken as error:
        sys.exit(f"error: {error}")
