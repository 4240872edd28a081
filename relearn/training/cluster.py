"""Jobs on a Dask cluster that is already running; its workers see the project's folder at a path of their own.

Data go there as files in that folder, and what all jobs have in common as one more file. A message holds the arguments
of one job. Dask's workers do not import the project, whose code may change while they run: each keeps a process of its
own for the jobs of a fan-out, as joblib does on one machine, and passes on what it answers as bytes.
"""

import logging
import multiprocessing
import os
import pickle
import platform
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

from relearn.params.base import Compute
from relearn.training import compute

COMMON = Path(".state/cluster")
CONNECT_SECONDS = 20
IDLE_SECONDS = 10.0  # after these a job's process ends, as joblib's do
DEATHS = 3  # of a job's process on one worker before the stage ends
PACKAGES = ("tensorflow", "keras", "numpy")


def fan_out(spec: Compute, function: Callable[..., Any], jobs: list[tuple[Any, ...]], label: str) -> Iterator[tuple[int, Any]]:
    """The place and result of each job as it ends, on whichever worker; one whose worker dies is done again elsewhere.

    What a job raises is raised here. OSError when there is no scheduler, when a worker does not see the folder, or when
    several workers died of one job.
    """
    try:
        import cloudpickle
        import distributed
    except ImportError as error:
        raise ValueError("compute.backend: 'dask' needs the package distributed: `pip install -r requirements.txt`") from error
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    code = os.path.relpath(Path(__file__).parents[2])
    common = COMMON / f"{uuid4().hex}.pickle"
    common.parent.mkdir(parents=True, exist_ok=True)
    common.write_bytes(cloudpickle.dumps((function, spec)))
    run = (spec.shared or str(Path.cwd()), code, str(common))
    places = {f"{label}-{common.stem}-{place}": place for place in range(len(jobs))}
    met = {(name, value) for name, value in machine(spec).items()}
    try:
        with _client(str(spec.scheduler)) as client:
            if not client.scheduler_info()["workers"]:
                print(f"{label}: {spec.scheduler} has no worker yet; waiting for one", flush=True)
            messages = [pickle.dumps(job) for job in jobs]
            by_value = lambda message: _on_worker(message, run)  # noqa: E731, a function with a name would go by reference
            futures = client.map(by_value, messages, key=list(places), pure=False, retries=0)
            for future, answer in distributed.as_completed(futures, loop=client.loop, with_results=True):
                if not isinstance(answer, bytes):  # as_completed hands this one over in place of a result
                    raise answer
                host, there, failed, result = pickle.loads(answer)  # noqa: S301, of a process of our own
                for name, value in there.items():
                    if (name, value) not in met:
                        met.add((name, value))
                        print(f"warning: {label}: {name} of {host} is {value}, here it is {machine(spec)[name]}: "
                              "results may differ in their low bits from those of one machine", file=sys.stderr)  # fmt: skip
                if failed:
                    raise result
                yield places[future.key], result
    except distributed.KilledWorker as error:
        raise OSError(f"{label}: several workers died of one job (memory?); their logs may say more: {error}") from error
    except distributed.CancelledError as error:
        raise OSError(f"{label}: {spec.scheduler} was lost; the same command resumes from here") from error
    finally:
        common.unlink(missing_ok=True)


def _client(scheduler: str) -> Any:
    from distributed import Client

    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it tells at length is raised as well
    try:
        return Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except OSError as error:
        raise OSError(f"compute.scheduler: nothing answers at {scheduler}: is `dask scheduler` running there?") from error


def machine(spec: Compute) -> dict[str, str]:
    """What decides the low bits of results, but for the threads."""
    return {"cpu": compute.cpu_name(), "precision": compute.precision(spec), **{name: version(name) for name in PACKAGES}}


def work(common: str, descriptor: int) -> None:
    """In the process that a worker keeps: does the jobs that come in through a pipe, until there are none for a while."""
    multiprocessing.current_process().name = "Worker"
    connection = Connection(descriptor)
    function, spec = pickle.loads(Path(common).read_bytes())  # noqa: S301, written by the stage
    import cloudpickle

    while connection.poll(IDLE_SECONDS):
        try:
            job = pickle.loads(connection.recv_bytes())  # noqa: S301
        except EOFError:
            return
        try:
            failed, result = False, function(*job)
        except Exception as error:
            error.add_note(f"on {platform.node()}:\n{traceback.format_exc()}")
            failed, result = True, error
        connection.send_bytes(cloudpickle.dumps((platform.node(), machine(spec), failed, result)))


def _on_worker(job: bytes, run: tuple[str, str, str]) -> bytes:
    """In a Dask worker, sent there by value: gives a job to an idle process of this run or a new one, and its answer back.

    Its process is ended when nobody waits for the answer any more: Dask itself cannot stop what has begun.
    """
    from distributed import get_worker

    folder, code, common = run
    worker = get_worker()
    if not Path(folder, common).is_file():
        raise FileNotFoundError(f"worker {worker.address} on {platform.node()} does not see {folder} of the stage: share that "
                                "folder, or say in compute.shared where the workers have it")  # fmt: skip
    kept = worker.__dict__.setdefault("processes_of_jobs", {})
    for name in [name for name in kept if name != common]:  # of earlier fan-outs: they have ended by themselves
        if all(process.poll() is not None for process, _ in kept[name]):
            kept.pop(name, None)
    idle = kept.setdefault(common, [])
    task = worker.get_current_task()
    for _ in range(DEATHS):
        process, connection = idle.pop() if idle else _process(folder, code, common)
        try:
            connection.send_bytes(job)
            while not connection.poll(0.5):
                if getattr(worker.state.tasks.get(task), "state", "") != "executing":
                    process.kill()
                    raise InterruptedError(f"nobody waits for {task} any more")
            answer = connection.recv_bytes()
        except (EOFError, BrokenPipeError, ConnectionResetError):  # it was idle for too long, or something killed it
            process.wait()
            continue
        idle.append((process, connection))
        return answer
    raise ChildProcessError(f"the job's process on worker {worker.address}, {platform.node()}, died {DEATHS} times (memory?); "
                            "the worker's log may say more")  # fmt: skip


def _process(folder: str, code: str, common: str) -> "tuple[subprocess.Popen[bytes], Connection]":
    """A process in the project's folder that does jobs, and the pipe to it."""
    here, there = multiprocessing.Pipe()
    script = "import sys; from relearn.training import cluster; cluster.work(sys.argv[1], int(sys.argv[2]))"
    process = subprocess.Popen(
        [sys.executable, "-c", script, common, str(there.fileno())], cwd=folder, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(folder, code))}, pass_fds=[there.fileno()],
    )  # fmt: skip
    there.close()
    return process, here
