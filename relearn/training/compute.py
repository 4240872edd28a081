"""The machine: threads, precision and determinism of a training, and trainings side by side.

Only `configure` touches TensorFlow, and imports it when called.
"""

import platform
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import joblib

from relearn.params.base import Compute
from relearn.process import command
from relearn.process.progress import Progress

BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def configure(spec: Compute, threads: int | None = None) -> dict[str, str | int]:
    """Sets up TensorFlow for reproducible work; call it before any other use of TensorFlow.

    threads: of this process; None takes `spec.threads`.
    Returns what decided the low bits of the results: precision, threads, cpu.
    """
    from relearn.networks.engine import tf

    threads = threads or (cores() if spec.threads == "auto" else spec.threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    chosen = precision(spec)
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": chosen == "bfloat16"})
    return {"precision": chosen, "threads": threads, "cpu": cpu_name()}


def configure_float32(spec: Compute) -> dict[str, str | int]:
    """The same in float32 whatever `spec.precision` says: for single pictures, whose scores bfloat16 would change."""
    return configure(spec.model_copy(update={"precision": "float32"}))


def scope(spec: Compute) -> tuple[AbstractContextManager[Any], dict[str, int]]:
    """In what a network is built and trained, and what to note with its results; call it after `configure`.

    `strategy: mirrored` splits each batch over all GPUs (without one, over logical CPUs), which hold equal weights.
    ValueError where there are fewer than two.
    """
    if spec.strategy == "none":
        return nullcontext(), {}
    from relearn.networks.engine import tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ValueError(f"compute.strategy: 'mirrored' needs two devices or more, here is {devices[0].name}: set it to none")
    return tf.distribute.MirroredStrategy([device.name for device in devices]).scope(), {"replicas": len(devices)}


def split_evenly(images: int, batch: int, replicas: int) -> None:
    """ValueError unless each batch, also the last one, has as many images for each replica.

    Means over unequal parts would be weighted wrongly, and TensorFlow's kernels crash on a part without images.
    """
    if batch % replicas or images % batch % replicas:
        raise ValueError(f"compute.strategy: batches of {batch} images, the last of {images % batch or batch}, cannot be split "
                         f"evenly over {replicas} devices: change batch or train_images, or set it to none")  # fmt: skip


def precision(spec: Compute) -> str:
    """float32 or bfloat16: the latter for `auto` where the processor multiplies it natively."""
    if spec.precision != "auto":
        return spec.precision
    return "bfloat16" if BFLOAT16_FLAGS & set(_cpu_info("flags").split()) else "float32"


def cores() -> int:
    """Cores that this process may use, also where a container's quota or its affinity bounds them."""
    return int(joblib.cpu_count())


def cpu_name() -> str:
    """The processor's own name."""
    return _cpu_info("model name") or platform.processor() or platform.machine()


def fan_out(spec: Compute, function: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], label: str) -> list[Any]:
    """function(*job) for each job, several at a time on this machine or a cluster, results in the jobs' order.

    Each job has one thread whatever `spec.jobs` is, so the number of jobs at once does not change a result. What all jobs
    share belongs into `function` (by `functools.partial`): that is sent once, a job each time.
    """
    todo = list(jobs)
    if spec.backend == "dask":
        from relearn.training import cluster

        done = dict(
            Progress(cluster.fan_out(spec, partial(_job, function), todo, label), total=len(todo), desc=label, unit="job")
        )
        return [done[place] for place in range(len(todo))]
    n_jobs = cores() if spec.jobs == "auto" else spec.jobs
    backend = {"backend": spec.backend} if n_jobs > 1 else {}
    pool = joblib.Parallel(n_jobs=min(n_jobs, len(todo)), return_as="generator", **backend)
    results = pool(joblib.delayed(_job)(function, *job) for job in todo)
    return list(Progress(results, total=len(todo), desc=label, unit="job"))


def _job(function: Callable[..., Any], *job: Any) -> Any:
    """One job in its process, which ends when the stage or the Dask worker does that started it."""
    command.end_with_parent()
    return function(*job)


def _cpu_info(field: str) -> str:
    """A field of the first processor in /proc/cpuinfo; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), "")
