"""Kill `dvc repro` at random moments, call it again, and see that the end is the same bytes as if nothing had happened.

    python -m tests.support.torture --kills 50 --seed 14
    python -m tests.support.torture --kills 15 --photos

Runs a small pipeline with every kind of stage at scale smoke, the first one or that of the photographs (made-up ones), with
downloads from a slow server on this machine. Prints a table of the kills; ends with 1 and one line when a promise is broken.
"""

import contextlib
import hashlib
import http.server
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from relearn.process import command
from tests.support import clones, pruning, samples
from tests.support.clones import Settings
from tools import recover

EPOCHS = 4
PATIENCE = 1800  # seconds for a whole run
STAGES = 3  # a run is killed in one of its first three stages
LONGEST = 9.0  # seconds in that stage before a kill at a random time: longer than most take
WRITES = 12  # files written in that stage before a kill at a write
CHUNK, PAUSE = 2**20, 0.02  # of the server: 50 MB/s
OUTPUTS = ("data", "models", "metrics", "plots", "reports", ".state", "dvc.lock")  # of a pipeline, in its folder
WATCHED = (*OUTPUTS, *(f"photos/{name}" for name in OUTPUTS), ".cache", ".dvc/cache", ".dvc/tmp")
EPOCH = re.compile(r"^(\S.*): epoch (\d+)/(\d+)  ", re.MULTILINE)
STAGE = re.compile(r"^Running stage '([^']+)':", re.MULTILINE)


@dataclass
class Kill:
    """When, in which stage and while what a run was killed, and what had to be mended before the next."""

    seconds: float
    stage: str
    doing: str
    mended: str = ""


class Broken(ValueError):
    """A promise that did not hold."""


class Small(NamedTuple):
    """A small pipeline: a temporary folder, its dvc.yaml, and what copies the project with it: copy(folder, jobs=1)."""

    temporary: Path
    pipeline: str
    copy: Callable[..., None]


def main() -> None:
    parser = command.parser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=14, help="of the moments (%(default)s)")
    parser.add_argument("--photos", action="store_true", help="the pipeline of the photographs")
    parser.add_argument("--archives", type=Path, default=clones.downloads(), help="a folder with the downloads (%(default)s)")
    arguments = parser.parse_args()
    with command.told():
        print(tortured(arguments.archives, arguments.photos, arguments.kills, random.Random(arguments.seed)))  # noqa: S311


def tortured(archives: Path, photos: bool, count: int, chance: random.Random) -> str:
    """Runs the small pipeline from scratch as often as it takes to kill it `count` times; gives the table of the kills."""
    with reduced(archives, photos) as (temporary, pipeline, copy):
        copy(fresh := temporary / "fresh")
        copy(undisturbed := temporary / "undisturbed", jobs=1)
        started = time.monotonic()
        run_to_end(undisturbed, [pipeline])
        stages = [stage for lock in locks(undisturbed) for stage in entries(lock)]
        print(f"undisturbed: {len(stages)} stages in {time.monotonic() - started:.0f} s", flush=True)
        kills: list[Kill] = []
        rounds = 0
        while len(kills) < count:
            rounds += 1
            folder = shutil.copytree(fresh, temporary / f"round{rounds}", symlinks=True)
            kills += kill_and_resume(folder, [pipeline], count - len(kills), chance)
            compare(undisturbed, folder, pipeline)
            print(f"round {rounds}: {len(kills)} kills so far, all bytes as in the undisturbed run", flush=True)
            shutil.rmtree(folder)
    return table(kills, rounds)


@contextmanager
def reduced(archives: Path, photos: bool) -> Iterator[Small]:
    """One of the small pipelines; its downloads come slowly, from this machine: `archives`, and one of made-up photographs."""
    if not archives.is_dir():
        raise ValueError(f"{archives}: is no folder; `make repro` fills it")
    os.environ.pop("DATASETS_DIR", None)  # the downloads are to be interrupted, too
    with ended_as_by_interrupt(), tempfile.TemporaryDirectory(prefix="torture-") as name:
        temporary = Path(name)
        (offered := temporary / "offered").mkdir()
        for path in archives.iterdir():
            (offered / path.name).symlink_to(path.resolve())
        packed = offered / "made_up.tar"
        packed.unlink(missing_ok=True)  # else we would write through a link, into the user's file of that name
        files = {packed.name: samples.archive(samples.folder(temporary / "pictures"), packed)}
        with served(offered) as address:

            def copy(folder: Path, jobs: int | str = "auto") -> None:
                changed = partial(small_photos, files=files, address=address)
                clones.copy(folder, partial(small, address=address, jobs=jobs), photos=changed)

            yield Small(temporary, "photos/dvc.yaml" if photos else "dvc.yaml", copy)


@contextmanager
def ended_as_by_interrupt() -> Iterator[None]:
    """Lets SIGTERM leave the block by an exception: what runs and what is temporary goes with us."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def small(settings: Settings, address: str = "", jobs: int | str = "auto") -> None:
    """Leaves one experiment of each kind, of a few epochs, with downloads from `address`."""
    pruning.prune(settings)
    settings["compute"]["jobs"] = jobs
    settings["report"]["gallery"] = {"lenet": 4}
    settings["relabel"]["mnist_in_order"]["train_images"]["smoke"] = 3000
    settings["protocols"]["T2"]["counts"]["smoke"] = [300, 100]
    for dictionary in ("train", "tune", "protocols"):
        for block in settings[dictionary].values():
            block["epochs"]["smoke"] = EPOCHS
    if address:
        load_from(address, settings)


def small_photos(settings: Settings, files: dict[str, str], address: str) -> None:
    """Leaves a data set for each recipe in photos/params.yaml, of a few epochs, and `files` from `address` as photographs."""
    samples.prune(settings, "data/archives/made_up")
    settings["archives"] = {"made_up": {"sources": [{"files": files, "url": address}]}}
    for recipe in settings["recipes"].values():
        for phase in recipe.values():
            phase["epochs"]["smoke"] = EPOCHS


def load_from(address: str, settings: Settings) -> None:
    """Lets everything that is downloaded come from `address`."""
    places = [settings["imagenet_classes"]]
    for dictionary in ("download", "backbones"):
        for block in settings[dictionary].values():
            block["sources"] = [place for place in block["sources"] if not place.get("url")]
            places += block["sources"]
    for place in places:
        place.pop("npm", None)
        place.pop("pip", None)
        place["url"] = address


def start(folder: Path, targets: list[str], log: Path, **settings: str) -> "subprocess.Popen[bytes]":
    """`dvc repro` with these environment variables, in a process group of its own, as a terminal gives it."""
    with log.open("ab") as stream:
        return subprocess.Popen(["dvc", "repro", *targets], cwd=folder, env=clones.environment(PYTHONUNBUFFERED="1", **settings),
                                stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
                                preexec_fn=interruptible)  # fmt: skip


def interruptible() -> None:
    """Lets Ctrl-C reach a new process, also when a shell has started us in the background: there it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def waited_for(process: "subprocess.Popen[bytes]") -> int:
    """Exit code of a run; it ends with us when we are interrupted or it takes longer than any should."""
    try:
        return process.wait(PATIENCE)
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ends what is left of a run."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run_to_end(folder: Path, targets: list[str], **settings: str) -> None:
    """`dvc repro targets`. Broken when it fails."""
    log = folder.parent / f"{folder.name}.log"
    log.write_bytes(b"")
    if waited_for(start(folder, targets, log, **settings)):
        raise Broken(f"dvc repro failed:\n{log.read_text(errors='replace')[-3000:]}")


def kill_and_resume(folder: Path, targets: list[str], most: int, chance: random.Random, **settings: str) -> list[Kill]:
    """Runs `dvc repro targets`, killed at most `most` times and called again each time, until it ends well.

    Broken when a run fails, or trains an epoch that an earlier run had finished.
    """
    kills: list[Kill] = []
    finished: set[tuple[str, str]] = set()
    log = folder.parent / f"{folder.name}.log"
    while True:
        log.write_bytes(b"")
        process = start(folder, targets, log, **settings)
        try:
            kill = until_killed(process, folder, log, chance) if len(kills) < most else None
        except BaseException:  # we are ended ourselves
            end(process)
            raise
        code = waited_for(process)
        output = text(log)
        epochs = {(label, epoch) for label, epoch, _ in EPOCH.findall(output)}
        if repeated := epochs & finished:
            raise Broken(f"trained again, though it had been finished: {sorted(repeated)}")
        finished |= epochs
        if kill is None:
            if code:
                raise Broken(f"dvc repro failed after {len(kills)} kills, the last {kills[-1:]}:\n{output[-3000:]}")
            return kills
        kills.append(kill)
        mending = subprocess.run([sys.executable, "-m", "tools.recover"], cwd=folder, env=clones.environment(),
                                 capture_output=True, text=True, check=True)  # fmt: skip
        kill.mended = " ".join(mending.stderr.split())
        print(f"  {len(kills):3}  {kill.seconds:5.1f} s  {kill.stage:28} {kill.doing}", flush=True)


def until_killed(process: "subprocess.Popen[bytes]", folder: Path, log: Path, chance: random.Random) -> Kill | None:
    """Kills the process group in one of the next stages, at a random time or at a random write; None if it ended first."""
    stages, by_write = chance.randint(1, STAGES), chance.random() < 0.5
    limit, writes = chance.uniform(0, LONGEST), chance.randint(1, WRITES)
    started = entered = time.monotonic()
    seen: dict[str, tuple[int, int]] = {}
    written: list[str] = []
    waiting = True
    while process.poll() is None:
        if waiting:
            time.sleep(0.02)
            waiting = len(STAGE.findall(text(log))) < stages
            seen, entered = snapshot(folder) if by_write else {}, time.monotonic()
            continue
        time.sleep(0.004 if by_write else 0.02)
        if by_write:
            now = snapshot(folder)
            written += sorted(path for path in now if seen.get(path) != now[path] and path not in written)
            seen = now
        if (by_write and len(written) >= writes) or (not by_write and time.monotonic() - entered >= limit):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            lines = text(log).splitlines() or [""]
            doing = f"writing {written[-1]}" if by_write else " ".join(lines[-1].split())
            return Kill(
                time.monotonic() - started, (STAGE.findall(text(log)) or [""])[-1], re.sub(r"[0-9a-f]{16,}", "...", doing)[:70]
            )
    return None


def text(log: Path) -> str:
    """What a run has written so far, each state of a progress bar as a line."""
    return log.read_text(errors="replace").replace("\r", "\n")


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Length and time of every file that a run writes."""
    states: dict[str, tuple[int, int]] = {}
    todo = [folder / name for name in WATCHED]
    while todo:
        path = todo.pop()
        try:
            if path.is_dir():
                todo += [Path(entry.path) for entry in os.scandir(path)]
            else:
                about = path.stat()
                states[path.relative_to(folder).as_posix()] = (about.st_size, about.st_mtime_ns)
        except FileNotFoundError:
            continue
    return states


def locks(folder: Path) -> list[Path]:
    """The dvc.lock files of a project, at its top and of the photographs."""
    return [path for path in (folder / "dvc.lock", folder / "photos/dvc.lock") if path.is_file()]


def entries(lock: Path) -> dict[str, Any]:
    """What a dvc.lock says of each stage, but not what params.yaml was as a whole: it has the number of jobs, too."""
    return {name: stage | {"deps": [dep for dep in stage.get("deps", []) if dep["path"] != "params.yaml"]}
            for name, stage in clones.lock(lock.parent).items()}  # fmt: skip


def compare(undisturbed: Path, folder: Path, pipeline: str = "dvc.yaml") -> None:
    """Broken unless both have the same stages in dvc.lock and results in git, and the cache holds what its names say.

    The order in dvc.lock may differ: DVC runs a small part of a project's stages in the order of a Python set.
    pipeline: the dvc.yaml whose stages have run in both.
    """
    for path in locks(undisturbed):
        lock = path.relative_to(undisturbed)
        first, second = entries(path), entries(folder / lock)
        if differing := sorted(stage for stage in first.keys() | second.keys() if first.get(stage) != second.get(stage)):
            raise Broken(f"{lock} differs at {', '.join(differing)}")
    for kind in ("metrics", "plots", "photos/metrics", "photos/plots"):
        for path in sorted((undisturbed / kind).rglob("*.*")):
            twin = folder / path.relative_to(undisturbed)
            if not twin.is_file() or twin.read_bytes() != path.read_bytes():
                raise Broken(f"{twin.relative_to(folder)} differs")
    cache = folder / ".dvc/cache/files/md5"
    for path in set(cache.glob("??/*")) - set(cache.glob(recover.UNFINISHED)):
        name = path.parent.name + path.name.removesuffix(".dir")
        if hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != name:
            raise Broken(f"{path.relative_to(folder)}: does not hold what its name says")
    status = subprocess.run(["dvc", "status", "-q", pipeline], cwd=folder, env=clones.environment(), check=False)
    if status.returncode:
        raise Broken("dvc status: something is not up to date")


@contextmanager
def served(archives: Path) -> Iterator[str]:
    """The address of a server on this machine that serves `archives` slowly."""

    class Slow(http.server.SimpleHTTPRequestHandler):
        def copyfile(self, source: Any, outputfile: Any) -> None:
            while block := source.read(CHUNK):
                outputfile.write(block)
                time.sleep(PAUSE)

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:  # who is killed hangs up
            pass

    server = Quiet(("127.0.0.1", 0), partial(Slow, directory=str(archives)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def table(kills: list[Kill], rounds: int) -> str:
    """The kills as Markdown."""
    mended = " ".join(kill.mended for kill in kills)
    put_back, gone, busy, runs = (mended.count(told) for told in ("put back", "removed, since", "rwlock:", "run cache"))
    lines = [
        f"{len(kills)} kills in {rounds} runs from scratch; every run ended with the bytes of an undisturbed one, and no epoch "
        f"was trained twice. tools.recover put a cut dvc.lock back {put_back} times and removed it, for want of a copy, {gone} "
        f"times; it removed {busy} cut lists of what DVC has open, and {runs} empty entries of the run cache.",
        "", "| kill | second | stage | while | mended |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for number, kill in enumerate(kills, 1):
        doing = kill.doing.replace("|", "\\|")
        lines.append(f"| {number} | {kill.seconds:.1f} | {kill.stage} | {doing} | {kill.mended} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
