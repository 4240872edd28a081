"""The same machine code on every x86-64 processor with AVX2, where params.yaml asks for float32; set before NumPy is imported.

oneDNN, OpenBLAS and NumPy choose their kernels by the processor, and kernels of another width round sums otherwise. Here
they are told to take those of AVX2 everywhere, also for the processes that this one starts. With `compute.precision` auto
or bfloat16 (scale book) nothing is pinned but what a person's own settings would change.
"""

import os
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

KERNELS = {
    "TF_ENABLE_ONEDNN_OPTS": "1",  # by itself TensorFlow takes oneDNN only where there is AVX-512
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4",
}
FREE = {"TF_ENABLE_ONEDNN_OPTS": "1"}
SETTINGS = {  # whatever a person or a notebook has set
    "KERAS_BACKEND": "tensorflow", "MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull, "PIP_USER": "0",
}  # fmt: skip
MARK = "RELEARN_KERNELS"  # in the environment: what was pinned, avx2 or none


def put() -> None:
    """Pins the kernels of this process and of those that it will start, as params.yaml of this folder says."""
    os.environ.update(SETTINGS)
    if MARK not in os.environ:
        pinned = precision() == "float32"
        os.environ.update(KERNELS if pinned else FREE)
        os.environ[MARK] = "avx2" if pinned else "none"


def clear() -> None:
    """Takes back what `put` pinned, so that a process which this one starts decides anew, by its own params.yaml."""
    if os.environ.pop(MARK, "") == "avx2":
        for name in KERNELS:
            os.environ.pop(name, None)


def kernels() -> str:
    """What is pinned: avx2, or none."""
    return os.environ.get(MARK, "none")


def precision(folder: Path = Path()) -> str:
    """`compute.precision` at the scale in force; float32 where params.yaml cannot be read, which `checks` tells about."""
    for path in (folder / "params.yaml", folder / "../params.yaml"):  # of photographs it stands above
        settings = _read(path)
        if "compute" in settings:
            said = settings["compute"].get("precision") if isinstance(settings["compute"], dict) else None
            return str(said.get(settings.get("scale")) if isinstance(said, dict) else said)
    return "float32"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = YAML(typ="safe").load(path.read_text())
    except (OSError, YAMLError):
        return {}
    return content if isinstance(content, dict) else {}
