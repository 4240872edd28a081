"""Stages side by side: each a task of a Dask cluster, in whose workers DVC runs that stage alone."""

import contextlib
import errno
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from relearn.data import pins, processor
from relearn.process import command
from relearn.scheduling import repository
from relearn.scheduling.plans import Agenda, Plan

LOGS = Path("logs/repro")
CONNECT_SECONDS = 20.0
LOOK_SECONDS = 1.0  # between two looks for workers that came or went
WATCH_SECONDS = 0.5
PACE_SECONDS = 60.0  # of stages that are taken to have lasted as long as was expected
ONE_AT_A_TIME = threading.Lock()  # in a worker with several threads


class Done(NamedTuple):
    """What a worker answers: whether DVC ran the stage (or found it up to date), its seconds, and why it failed."""

    ran: bool
    seconds: float
    error: str = ""


Report = Callable[[str, Done | None], object]


@dataclass
class Ended:
    """How a run ended: the stages that failed, each with the reason, and those left out since they depend on these."""

    failed: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  # of those that ran

    @property
    def summary(self) -> str:
        lines = [f"{name} failed: {reason}; what it printed is in {log(name)}" for name, reason in self.failed.items()]
        if self.left_out:
            lines.append(f"left out, as they depend on what failed: {', '.join(self.left_out)}")
        if any(os.strerror(errno.ENOSPC) in reason for reason in self.failed.values()):
            lines.append(command.FULL)
        return "\n".join(lines)


def log(name: str) -> Path:
    """Where a stage's output goes."""
    return LOGS / f"{name.replace('/dvc.yaml:', '.').replace('/', '.')}.log"


def run(plan: Plan, jobs: int, scheduler: str | None = None, report: Report | None = None) -> Ended:
    """Runs the plan's stages, `jobs` at a time (on a cluster as many as it has workers), longest chains first.

    A worker gets a stage when it is free: what would wait in its queue could not go to another one. Prints a line when a
    stage begins and when it ends, and calls `report`: with the stage and None, then with the stage and how it ended. However
    this ends, so do the stages that run. Raises OSError when the scheduler cannot be reached or is lost.
    """
    from distributed import CancelledError
    from distributed.comm import CommClosedError

    LOGS.mkdir(parents=True, exist_ok=True)
    agenda, ended, report = Agenda(plan), Ended(), report or (lambda name, done: None)
    with _client(jobs, scheduler) as client:
        running: dict[Any, str] = {}
        try:
            while running or agenda.waits:
                workers = len(client.nthreads())
                while len(running) < workers and (name := agenda.begin()):
                    log(name).unlink(missing_ok=True)
                    running[client.submit(stage, name, str(Path.cwd()), pure=False)] = name
                    _say(f"{name} begins")
                    report(name, None)
                for future in _ended(list(running)):
                    name = running.pop(future)
                    done = _answer(future)
                    report(name, done)
                    if done.error:
                        ended.failed[name] = done.error
                        ended.left_out += agenda.failed(name)
                    else:
                        agenda.done(name)
                        ended.seconds |= {name: done.seconds} if done.ran else {}
                    seconds = sum(plan.seconds[other] for other in (*running.values(), *agenda.waits))
                    _tell(name, done, len(running) + len(agenda.waits), pace(plan, ended) * seconds / max(1, workers))
        except (CancelledError, CommClosedError) as error:
            raise OSError("the scheduler was lost; the same command resumes from here") from error
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would leave the cluster half closed
            raise
        finally:
            client.cancel(list(running))
    return ended


def pace(plan: Plan, ended: Ended) -> float:
    """How many times as long as the plan expects stages have taken so far; near 1 while they were short."""
    return (PACE_SECONDS + sum(ended.seconds.values())) / (PACE_SECONDS + sum(plan.seconds[name] for name in ended.seconds))


def stage(name: str, folder: str) -> Done:
    """In a worker: lets DVC run one stage, its output in the stage's log."""
    started = time.monotonic()
    with ONE_AT_A_TIME, _ended_when_cancelled():
        try:
            os.chdir(folder)
            pins.clear()  # of this worker, which may have begun with other parameters
            with _output_in(log(name)), repository.opened() as repo:
                ran = bool(repo.reproduce(targets=[name], single_item=True))
        except Exception as error:  # DVC raises anything
            return Done(False, time.monotonic() - started, _reason(error))
    return Done(ran, time.monotonic() - started)


@contextlib.contextmanager
def _client(jobs: int, scheduler: str | None) -> Iterator[Any]:
    """A client of the cluster at `scheduler`, or of one of `jobs` processes on this machine, which ends with the block."""
    from distributed import Client

    for name in ("distributed", "distributed.client"):  # what they say at length is raised as well
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is None:
        with _cluster(jobs) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except OSError as error:
        raise OSError(f"nothing answers at {scheduler}: is `dask scheduler` running there?") from error
    with client:
        _check_workers(client, scheduler)
        yield client


@contextlib.contextmanager
def _cluster(jobs: int) -> Iterator[Any]:
    """A cluster of `jobs` processes on this machine, which only this user's programs can use."""
    from distributed import LocalCluster, Security

    cores = str(max(1, processor.cores() // jobs))
    environment = dict.fromkeys(("LOKY_MAX_CPU_COUNT", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), cores)
    with contextlib.ExitStack() as stack:
        # A terminal sends Ctrl-C to the whole group. Workers and their stages start with it blocked: we end them in one go.
        resource_tracker.ensure_running()  # by the first worker, it would let Ctrl-C through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            cluster = LocalCluster(n_workers=jobs, threads_per_worker=1, host="127.0.0.1", security=Security.temporary(),
                                   dashboard_address=None, scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                                   memory_limit=0, silence_logs=logging.CRITICAL,
                                   env=environment | {"PYTHONUNBUFFERED": "1"})  # fmt: skip
            stack.enter_context(cluster)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield cluster


def _check_workers(client: Any, scheduler: str) -> None:
    """OSError unless there is a worker, all have the project's packages, and see this folder."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        for run in (client.run_on_scheduler, client.run):
            run(find_spec, __name__)
    except TimeoutError as error:
        raise OSError(f"{scheduler} has no worker: start some by `dask worker {scheduler} --nthreads 1`") from error
    except ModuleNotFoundError as error:
        raise OSError(f"{scheduler}: start the scheduler and all workers with this project's packages: {error}") from error
    here = Path.cwd()
    blind = [worker for worker, sees in client.run(os.path.isfile, str(here / "dvc.yaml")).items() if not sees]
    if blind:
        raise OSError(f"{', '.join(blind)}: sees no {here}/dvc.yaml; workers need this folder under the same path")


def _ended(running: list[Any]) -> list[Any]:
    """Those of the tasks that have ended, as soon as one has; none when that takes long."""
    from distributed import wait

    if not running:  # no worker is left, but another may come
        time.sleep(LOOK_SECONDS)
        return []
    try:
        return list(wait(running, timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return []


@contextlib.contextmanager
def _output_in(path: Path) -> Iterator[None]:
    """What this process and those it starts print goes to `path`."""
    kept = os.dup(1), os.dup(2)
    with path.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # a full disk
            sys.stdout.flush()
        for place, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, place)
            os.close(descriptor)


@contextlib.contextmanager
def _ended_when_cancelled() -> Iterator[None]:
    """Ends the processes of this worker's stage when nobody waits for it any more, or the worker is about to end.

    Dask itself cannot stop what has begun.
    """
    from distributed import Status, get_worker

    worker, over = get_worker(), threading.Event()
    task = worker.get_current_task()

    def watch() -> None:
        while not over.wait(WATCH_SECONDS):
            state = getattr(worker.state.tasks.get(task), "state", "")
            if state != "executing" or worker.status in (Status.closing, Status.closed, Status.failed):
                for process in psutil.Process().children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()  # the state of a training is whole at any moment

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _answer(future: Any) -> Done:
    """What a task gave, or why it gave nothing."""
    from distributed import KilledWorker

    error = future.exception()
    if error is None:
        return Done(*future.result())
    return Done(False, 0.0, "its worker died several times (memory?)" if isinstance(error, KilledWorker) else _reason(error))


def _reason(error: BaseException) -> str:
    """An error in a line: not "failed to reproduce" but what caused that, or the full disk behind it."""
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    full = [cause for cause in causes if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)]
    told = full[0] if full else error.__cause__ or error
    return " ".join(str(told).split())[:500] or type(told).__name__


def _tell(name: str, done: Done, left: int, seconds: float) -> None:
    """Prints how a stage ended, for one that failed with all that it printed; then how many are left, and for how long."""
    if done.error:
        text = log(name).read_text(errors="replace") if log(name).is_file() else ""
        _say(f"{name} FAILED after {done.seconds:.1f} s: {done.error}\n{text.rstrip()}")
    else:
        _say(f"{name} {f'took {done.seconds:.1f} s' if done.ran else 'is up to date'}; {left} left"
             + (f", about {seconds / 60:.0f} min" if seconds >= 60 else ""))  # fmt: skip


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)
