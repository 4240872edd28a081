"""The machine that was measured, in words and numbers."""

import os
import platform
from importlib.metadata import version
from typing import Any

import psutil

from stages.lib import compute
from stages.lib.params import Compute

PACKAGES = ("tensorflow", "keras", "numpy", "dvc")


def described() -> dict[str, Any]:
    """Processor, cores, memory, products' precision, versions; the load says whether it was busy with other work."""
    auto = Compute(precision="auto", threads="auto", jobs="auto", backend="loky")
    return {
        "cpu": compute.cpu_name(),
        "cores": compute.cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "precision": compute.precision(auto),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }
