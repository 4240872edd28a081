"""The machine that was measured, in words and numbers."""

import platform
from importlib.metadata import version
from typing import Any

import psutil

from bench.lib import workplaces
from relearn.data import processor
from relearn.scheduling import keeping
from relearn.training import compute

LOOKED_AT = 5.0  # seconds in which nothing of ours runs
PACKAGES = ("tensorflow", "keras", "numpy", "dvc")


def described() -> dict[str, Any]:
    """Processor, cores, memory, products' precision, versions."""
    return {
        "cpu": keeping.here(),  # with its family: processors of one name differ by a factor of two
        "cores": processor.cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "precision": compute.precision(workplaces.FASTEST),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def others_percent() -> float:
    """How much of the processor other programs take just now."""
    return psutil.cpu_percent(LOOKED_AT)
