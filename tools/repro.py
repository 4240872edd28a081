"""Check what is to run, mend what a killed run left, and run the stages that are not up to date, several at a time.

    python -m tools.repro [--jobs N] [--scheduler tcp://HOST:8786] [--show FOLDER] [TARGET ...]

Reads  dvc.yaml, dvc.lock, params.yaml; the targets' stages and all that these need (without targets: dvc.yaml)
Writes what `dvc repro` would write; dvc.lock byte for byte without targets, whose order DVC changes from call to call;
       logs/repro/<stage>.log

Each stage is a task of a Dask cluster, begun when those that it depends on are done and a worker is free, which asks DVC for
that stage alone. Workers are processes on this machine, or those of --scheduler, which see this folder under the same path.
"""

import contextlib
import fcntl
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from relearn import checks
from relearn.data import processor
from relearn.process import command
from relearn.scheduling import plans, repository, side_by_side
from tools import check, recover

RUNNING = Path(".state/repro.lock")
MEMORY = 3 * 2**30  # bytes that a stage may take, with TensorFlow and a data set at scale quick


def main(arguments: list[str] | None = None) -> None:
    parser = command.parser()
    parser.add_argument("targets", nargs="*", help="stages or dvc.yaml files, as `dvc repro` takes them at the top (dvc.yaml)")
    parser.add_argument("--jobs", default="auto", help="stages at a time: a number, or auto, as cores and memory allow")
    parser.add_argument("--scheduler", help="tcp://HOST:8786 of a Dask cluster whose workers see this folder")
    parser.add_argument("--show", type=Path, metavar="FOLDER", help="print its metrics in the end, as `dvc metrics show` does")
    options = parser.parse_args(arguments)
    if options.jobs != "auto" and not (options.jobs.isdecimal() and int(options.jobs)):
        parser.error(f"--jobs: {options.jobs!r} is neither auto nor a whole number from 1")
    jobs = None if options.jobs == "auto" else int(options.jobs)
    with command.told(), alone():
        check.told()
        recover.main()
        run(options.targets or ["dvc.yaml"], jobs, options.scheduler)
        if options.show:
            repository.show_metrics(options.show)


def run(
    targets: Sequence[str],
    jobs: int | None = None,
    scheduler: str | None = None,
    report: side_by_side.Report | None = None,
) -> None:
    """Runs what of these stages, and of all that they need, is not up to date. ValueError that names those that failed."""
    scale = checks.load().scale
    plan = plans.make(targets, scale)
    if plan.needs:
        print(f"{len(plan.needs)} stages may have to run; what they print is in {side_by_side.LOGS}/", flush=True)
        repository.note_order(plan.needs)
        ended = side_by_side.run(plan, jobs or room(), scheduler, report)
        with contextlib.suppress(OSError):  # a full disk, which the stages tell of
            plans.note(scale, ended.seconds)
        if ended.failed:
            raise ValueError(ended.summary)
    else:
        print("Everything is up to date.")
    repository.put_in_order(plan.order)


def room() -> int:
    """Stages that cores and memory allow at a time."""
    return max(1, min(processor.cores(), psutil.virtual_memory().available // MEMORY))


@contextlib.contextmanager
def alone(lock: Path = RUNNING, name: str = "make repro") -> Iterator[None]:
    """A block that one process at a time enters in this project. ValueError for a second one, and below the project's top."""
    if not Path(".dvc").is_dir():
        raise ValueError("this is not the project's top: call it there, for the photographs with photos/dvc.yaml")
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another `{name}` is running here: wait for it, or end it first") from None
        yield


if __name__ == "__main__":
    main()
