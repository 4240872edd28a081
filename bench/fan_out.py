"""What a fan-out on a Dask cluster costs, measured with jobs that do nothing: a scheduler and workers on 127.0.0.1.

    python -m bench.fan_out --jobs 100 1000 10000 --json fan_out.json

For each number of jobs: the seconds of the fan-out, the scheduler's calls and CPU seconds, the bytes that went in and out of it.
"""

import argparse
import importlib.util
import json
import operator
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.lib.rows import Row
from relearn.params.base import Compute
from relearn.training import compute

JOBS = (100, 1_000)  # python -m bench.fan_out measures 10,000, too


def measure(jobs: Sequence[int] = JOBS) -> dict[str, Any]:
    """The rows of `python -m bench.fan_out`, which runs in a process of its own."""
    if not importlib.util.find_spec("distributed"):
        return {"left_out": "distributed is not installed (requirements-cluster.txt)"}
    with tempfile.TemporaryDirectory(prefix="fan-out-") as folder:
        path = Path(folder, "found.json")
        command = [sys.executable, "-m", "bench.fan_out", "--jobs", *map(str, jobs), "--json", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"{' '.join(command[1:])} failed:\n{done.stderr[-2000:]}")
        return dict(json.loads(path.read_text()))


def table(found: Mapping[str, Any]) -> list[Row]:
    if "left_out" in found:
        return [Row("jobs that do nothing on a Dask cluster", "", found["left_out"])]
    return [
        Row(f"{row['jobs']:,} jobs that do nothing on a Dask cluster of {found['workers']} workers here", "",
            f"{row['milliseconds_a_job']:.1f} ms a job, workers' start included; "
            f"{1000 * row['scheduler_cpu_seconds_a_job']:.1f} ms of the scheduler's CPU")
        for row in found["fan_outs"]
    ]  # fmt: skip


def main() -> None:
    from distributed import Client

    from tests.support import clusters

    parser = argparse.ArgumentParser(description="Measure fan-outs of jobs that do nothing on a Dask cluster of this machine.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    wanted = parser.parse_args()
    path = wanted.json and wanted.json.resolve()
    with tempfile.TemporaryDirectory(prefix="fan-out-") as folder, clusters.started(Path(folder, "c"), wanted.workers) as cluster:
        os.chdir(folder)
        with Client(cluster.address, set_as_default=False) as client:
            client.run_on_scheduler(count)
            rows = [measured(cluster.address, client, jobs) for jobs in wanted.jobs]
    about = {"cpu": compute.cpu_name(), "cores": compute.cores(), "load": os.getloadavg()[0], "workers": wanted.workers}
    report = json.dumps(about | {"fan_outs": rows}, indent=2)
    print(report)
    if path:
        path.write_text(report + "\n")


def measured(address: str, client: Any, jobs: int) -> dict[str, Any]:
    """One fan-out of `jobs` additions."""
    spec = Compute(precision="auto", threads="auto", jobs="auto", backend="dask", scheduler=address)
    before, started = client.run_on_scheduler(counted), time.perf_counter()
    sums = compute.fan_out(spec, operator.add, [(number, 1) for number in range(jobs)], f"{jobs} jobs")
    seconds, after = time.perf_counter() - started, client.run_on_scheduler(counted)
    if sums != list(range(1, jobs + 1)):
        raise ValueError(f"{jobs} jobs: wrong results")
    found = {name: after[name] - before[name] for name in after}
    each = {f"{name}_a_job": round(value / jobs, 5) for name, value in found.items()}
    found = {name: round(value, 2) for name, value in found.items()}
    return {"jobs": jobs, "seconds": round(seconds, 2), "milliseconds_a_job": round(1000 * seconds / jobs, 2)} | found | each


def count(dask_scheduler: Any) -> None:
    """In the scheduler: counts calls and bytes from now on."""
    import functools
    import inspect

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
