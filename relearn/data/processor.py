"""The processor that this process runs on: its name, its flags, and how many of its cores may be used."""

import platform
from functools import cache
from pathlib import Path

import joblib


def name() -> str:
    """The processor's own name."""
    return _field("model name") or platform.processor() or platform.machine()


def flags() -> set[str]:
    """What it can do, by Linux' names: avx2, avx512_bf16, ...; empty where that is not known."""
    return set(_field("flags").split())


def cores() -> int:
    """Cores that this process may use, also where a container's quota or its affinity bounds them."""
    return int(joblib.cpu_count())


@cache
def _field(title: str) -> str:
    """A field of the first processor in /proc/cpuinfo; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == title), "")
