"""The machine that was measured, in words and numbers."""

import platform
from importlib.metadata import version
from typing import Any

import psutil

from relearn.data import processor
from relearn.params.base import Compute
from relearn.training import compute

LOOKED_AT = 5.0  # seconds in which nothing of ours runs
PACKAGES = ("tensorflow", "keras", "numpy", "dvc")


def described() -> dict[str, Any]:
    """Processor, cores, memory, products' precision, versions; and how much of the processor other programs take just now."""
    auto = Compute(precision="auto", threads="auto", jobs="auto")
    return {
        "cpu": processor.name(),
        "cores": processor.cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "precision": compute.precision(auto),
        "others_percent": psutil.cpu_percent(LOOKED_AT),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }
