"""Run stages on a disk with room for half of what they write, then make room and run them again.

    python -m tests.support.fulldisk
    python -m tests.support.fulldisk --photos

Each stage of the small pipelines of tests/support/torture.py, or of those that are named, fails with a message that says so,
and ends with the same bytes once there is room. The disk is a file system in memory; mounting it needs Linux with user
namespaces.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from relearn.process import command
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
cd {disk}
if dvc repro --single-item {stage} > {log}.full 2>&1; then echo "did not fail"; exit 3; fi
mount -o remount,size={large} {disk}
python -m tools.recover
dvc repro --single-item {stage} > {log}.again 2>&1
cp {lock} {log}.lock
"""


def main() -> None:
    parser = command.parser()
    parser.add_argument("stages", nargs="*", help="of the small pipeline; all without")
    parser.add_argument("--photos", action="store_true", help="the pipeline of the photographs")
    parser.add_argument("--archives", type=Path, default=clones.downloads(), help="a folder with the downloads (%(default)s)")
    arguments = parser.parse_args()
    with command.told():
        if not can_mount():
            raise ValueError("no file system in memory can be mounted here: `unshare --map-root-user --mount --pid` is refused")
        with torture.reduced(arguments.archives, arguments.photos) as (temporary, pipeline, copy):
            copy(whole := temporary / "whole")
            torture.run_to_end(whole, [pipeline])
            place = pipeline.removesuffix("dvc.yaml")
            names = arguments.stages or list(clones.lock(whole / place))
            stages = [f"{pipeline}:{name}" if place else name for name in names]
            small = [stage for stage in stages if half_of(whole, stage) < SPARE]
            for stage in filter(lambda stage: stage not in small, stages):
                print(f"{stage:28} {refused(whole, stage, temporary)}", flush=True)
    count = len(stages) - len(small)
    print(f"{count} stages: each failed with a clear message, and ended with the same bytes once there was room")
    print(f"left out, since they write next to nothing: {', '.join(small) or 'none'}")


def can_mount() -> bool:
    """Whether this process may mount a file system in a namespace of its own."""
    mount = [*APART, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(mount, capture_output=True, check=False).returncode == 0


def refused(whole: Path, stage: str, temporary: Path, **settings: str) -> str:
    """The message of `stage` on a disk that takes half of its outputs. Broken when it is none, or the bytes differ after.

    whole: a project in which `stage` has run, whose name is that at the top.
    """
    part, disk, log = temporary / "part", temporary / "disk", temporary / "log"
    shutil.rmtree(part, ignore_errors=True)
    disk.mkdir(exist_ok=True)
    shutil.copytree(whole, part, symlinks=True, ignore=shutil.ignore_patterns("cache", ".cache", ".git"))
    half = half_of(whole, stage)
    for path in outs(whole, stage):
        out = part / path.relative_to(whole)
        shutil.rmtree(out) if out.is_dir() else out.unlink()
    subprocess.run(["git", "init", "-q"], cwd=part, check=True)
    lock = entry(whole, stage)[0].relative_to(whole)
    script = SCRIPT.format(
        small=used(part) + half + SPARE, large=ROOM + used(part), disk=disk, folder=part, stage=stage, lock=lock, log=log
    )
    full, again = Path(f"{log}.full"), Path(f"{log}.again")
    for path in (full, again):
        path.write_text("")
    done = subprocess.run([*APART, "sh", "-c", script], env=clones.environment(**settings), capture_output=True, text=True,
                          check=False)  # fmt: skip
    text = full.read_text().replace("\r", "\n")
    if done.returncode:
        raise Broken(f"{stage}: {done.stdout}{done.stderr}\n{text[-1500:]}\n{again.read_text()[-1500:]}")
    lines = [line for line in text.splitlines() if "No space left" in line or "disk is full" in line]
    if not lines or "Traceback" in text:
        raise Broken(f"{stage}: no clear message:\n{text[-3000:]}")
    if Path(f"{log}.lock").read_bytes() != (whole / lock).read_bytes():
        raise Broken(f"{stage}: another dvc.lock after there was room")
    return " ".join(" ".join(lines).split())[:160]


def entry(whole: Path, stage: str) -> tuple[Path, dict[str, Any]]:
    """The dvc.lock that has a stage, and what it says of it."""
    pipeline, _, name = stage.rpartition(":")
    folder = (whole / pipeline).parent if pipeline else whole
    return folder / "dvc.lock", clones.lock(folder)[name]


def outs(whole: Path, stage: str) -> list[Path]:
    """The outputs of a stage."""
    lock, said = entry(whole, stage)
    return [lock.parent / out["path"] for out in said["outs"]]


def half_of(whole: Path, stage: str) -> int:
    """Half of the bytes that a stage writes."""
    return sum(map(used, outs(whole, stage))) // 2


def used(path: Path) -> int:
    """Bytes that a file or a folder's files take in whole pages: so counts a file system in memory, where folders take none."""
    files = [file for file in path.rglob("*") if not file.is_symlink()] if path.is_dir() else [path]
    return sum(-(-file.stat().st_size // PAGE) * PAGE for file in files if file.is_file())


if __name__ == "__main__":
    main()
