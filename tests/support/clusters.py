"""A Dask cluster on this machine, as processes of their own with working directories of their own: for tests and measurements."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from distributed import Client

from tests.support.clones import ROOT

SECONDS = 60  # in which scheduler and workers have to be there
DASK = (sys.executable, "-m", "dask")
LOCAL = ("--host", "127.0.0.1", "--no-dashboard")


@dataclass
class Cluster:
    """A running cluster: the scheduler's address; of each worker the process that keeps it running."""

    address: str
    scheduler: "subprocess.Popen[bytes]"
    workers: "dict[str, subprocess.Popen[bytes]]"


@contextmanager
def started(folder: Path) -> Iterator[Cluster]:
    """A scheduler and two workers of one thread each, on 127.0.0.1, in folders below `folder`, where their logs are, too."""
    contact = folder / "scheduler.json"
    processes = []

    def start(name: str, *options: str) -> "subprocess.Popen[bytes]":
        (folder / name).mkdir(parents=True)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}  # this code, whatever is installed
        with (folder / f"{name}.log").open("wb") as log:
            processes.append(subprocess.Popen([*DASK, *options, *LOCAL], cwd=folder / name, env=environment, stdout=log,
                                              stderr=subprocess.STDOUT, start_new_session=True))  # fmt: skip
        return processes[-1]

    try:
        scheduler = start("scheduler", "scheduler", "--port", "0", "--scheduler-file", str(contact))
        options = ("--scheduler-file", str(contact), "--nthreads", "1", "--local-directory", ".")
        running = {name: start(name, "worker", *options, "--name", name) for name in ("worker0", "worker1")}
        with Client(scheduler_file=str(contact), timeout=SECONDS, set_as_default=False) as client:
            client.wait_for_workers(len(running), timeout=SECONDS)
        yield Cluster(str(json.loads(contact.read_text())["address"]), scheduler, running)
    finally:
        for process in processes:  # each with the processes of its jobs; asked politely, they take ten seconds
            with contextlib.suppress(ProcessLookupError):  # a worker that has lost its scheduler ends by itself
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
