"""What a fan-out on a Dask cluster costs, measured with jobs that do nothing: a scheduler and workers on 127.0.0.1.

    python -m bench.fan_out --jobs 100 1000 10000 > fan_out.json

For each number of jobs: the seconds of the fan-out, the scheduler's calls and CPU seconds, the bytes that went in and out of it.
"""

import functools
import inspect
import json
import operator
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench.lib import trials
from bench.lib.rows import Row
from relearn.params.base import Compute
from relearn.process import command
from relearn.training import compute

JOBS = (100, 1_000)


def measure(jobs: Sequence[int] = JOBS, workers: int = 2) -> dict[str, Any]:
    """The figures of one fan-out for each number of jobs."""
    about = {"cpu": compute.cpu_name(), "cores": compute.cores(), "load": os.getloadavg()[0], "workers": workers}
    return about | {"fan_outs": trials.apart(fanned_out, jobs, workers)}


def table(figures: Mapping[str, Any]) -> list[Row]:
    return [
        Row(f"{row['jobs']:,} jobs that do nothing on a Dask cluster of {figures['workers']} workers here", "",
            f"{row['milliseconds_a_job']:.1f} ms a job, workers' start included; "
            f"{1000 * row['scheduler_cpu_seconds_a_job']:.1f} ms of the scheduler's CPU")
        for row in figures["fan_outs"]
    ]  # fmt: skip


def main() -> None:
    parser = command.parser()
    parser.add_argument("--jobs", type=int, nargs="+", default=JOBS)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.jobs, arguments.workers), indent=2))


def fanned_out(jobs: Sequence[int], workers: int) -> list[dict[str, Any]]:
    """In a process of its own, since it changes the folder in which jobs run."""
    import cloudpickle
    from distributed import Client
    from distributed.deploy.subprocess import SubprocessCluster

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the scheduler does not import this project
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.chdir(folder)
        one_thread = {"n_workers": workers, "threads_per_worker": 1}
        with (
            SubprocessCluster(host="127.0.0.1", dashboard_address=None, **one_thread) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            client.wait_for_workers(workers)
            client.run_on_scheduler(count)
            return [fan_out(cluster.scheduler_address, client, number) for number in jobs]


def fan_out(address: str, client: Any, jobs: int) -> dict[str, Any]:
    """One fan-out of `jobs` additions."""
    spec = Compute(precision="auto", threads="auto", jobs="auto", backend="dask", scheduler=address)
    before, started = client.run_on_scheduler(counted), time.perf_counter()
    sums = compute.fan_out(spec, operator.add, [(number, 1) for number in range(jobs)], f"{jobs} jobs")
    seconds, after = time.perf_counter() - started, client.run_on_scheduler(counted)
    if sums != list(range(1, jobs + 1)):
        raise ValueError(f"{jobs} jobs: wrong results")
    costs = {name: after[name] - before[name] for name in after}
    each = {f"{name}_a_job": round(value / jobs, 5) for name, value in costs.items()}
    costs = {name: round(value, 2) for name, value in costs.items()}
    return {"jobs": jobs, "seconds": round(seconds, 2), "milliseconds_a_job": round(1000 * seconds / jobs, 2)} | costs | each


def count(dask_scheduler: Any) -> None:
    """In the scheduler: counts calls and bytes from now on."""
    from tornado.iostream import IOStream

    dask_scheduler.counted = counted = {"calls": 0, "bytes_in": 0, "bytes_out": 0}

    def counting(handler: Any) -> Any:
        @functools.wraps(handler)
        def call(*arguments: Any, **options: Any) -> Any:
            counted["calls"] += 1
            return handler(*arguments, **options)

        @functools.wraps(handler)
        async def call_and_wait(*arguments: Any, **options: Any) -> Any:
            return await call(*arguments, **options)

        return call_and_wait if inspect.iscoroutinefunction(handler) else call

    for handlers in (dask_scheduler.handlers, dask_scheduler.stream_handlers):
        handlers.update({name: counting(handler) for name, handler in handlers.items()})
    read, write = IOStream.read_from_fd, IOStream.write_to_fd

    def read_from_fd(self: Any, buffer: Any) -> Any:
        length = read(self, buffer)
        counted["bytes_in"] += length or 0
        return length

    def write_to_fd(self: Any, data: Any) -> Any:
        length = write(self, data)
        counted["bytes_out"] += length or 0
        return length

    IOStream.read_from_fd, IOStream.write_to_fd = read_from_fd, write_to_fd


def counted(dask_scheduler: Any) -> dict[str, float]:
    """In the scheduler: the counts so far, and its CPU time, which another program beside it does not lengthen much."""
    return dask_scheduler.counted | {"scheduler_cpu_seconds": time.process_time()}


if __name__ == "__main__":
    main()
