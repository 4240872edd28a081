"""The machine: threads, precision and determinism of a training, and trainings side by side.

Only `configure` touches TensorFlow, and imports it when called.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import joblib

from relearn.data import pins, processor
from relearn.params.base import Compute
from relearn.process import command
from relearn.process.progress import Progress

BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def configure(spec: Compute, threads: int | None = None) -> dict[str, str | int]:
    """Sets up TensorFlow for reproducible work; call it before any other use of TensorFlow.

    threads: of this process; None takes `spec.threads`.
    Returns what decided the low bits of the results: precision, threads, and the kernels that are pinned (relearn/data/pins.py)
    or else the processor, which chose its own.
    """
    from relearn.networks.engine import keras, tf

    threads = threads or (processor.cores() if spec.threads == "auto" else spec.threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    chosen = precision(spec)
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": chosen == "bfloat16"})
    if pins.kernels() != "none":
        _avoid_approximations()
    keras.config.set_image_data_format("channels_last")  # whatever stands in ~/.keras/keras.json
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    return {"precision": chosen, "threads": threads, "kernels": pins.kernels() if pins.kernels() != "none" else processor.name()}


def _avoid_approximations() -> None:
    """Keeps TensorFlow from rsqrt and reciprocal, whose first guess AMD's and Intel's processors answer differently.

    Its graph optimizer writes x / sqrt(y), as Adadelta and RMSprop have it, anew as x * rsqrt(y); batch normalization calls
    rsqrt, and the erfc in GELU reciprocal.
    """
    from relearn.networks.engine import tf

    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    tf.nn.batch_normalization = _batch_normalization
    tf.nn.gelu = _gelu


def _batch_normalization(x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float) -> Any:
    """tf.nn.batch_normalization with a root and a division, which every processor rounds alike (IEEE 754)."""
    from relearn.networks.engine import tf

    numerator = 1.0 if scale is None else scale
    inverse = 2 * numerator / (2 * tf.sqrt(variance + variance_epsilon))  # as exact; 1 / y would become a reciprocal
    return x * inverse + (-mean * inverse if offset is None else offset - mean * inverse)


def _gelu(features: Any, approximate: bool = False) -> Any:
    """tf.nn.gelu by erf in place of erfc. NotImplementedError for the approximate one, which nothing here uses."""
    from relearn.networks.engine import tf

    if approximate:
        raise NotImplementedError("the approximate GELU, with kernels pinned")
    return 0.5 * features * (1 + tf.math.erf(features * 0.5**0.5))


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
    return "bfloat16" if BFLOAT16_FLAGS & processor.flags() else "float32"


def fan_out(spec: Compute, function: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], label: str) -> list[Any]:
    """function(*job) for each job, several at a time in processes on this machine, results in the jobs' order.

    Each job has one thread whatever `spec.jobs` is, so the number of jobs at once does not change a result.
    """
    todo = list(jobs)
    n_jobs = processor.cores() if spec.jobs == "auto" else spec.jobs
    pool = joblib.Parallel(n_jobs=min(n_jobs, len(todo)), return_as="generator")
    results = pool(joblib.delayed(_job)(function, *job) for job in todo)
    return list(Progress(results, total=len(todo), desc=label, unit="job"))


def _job(function: Callable[..., Any], *job: Any) -> Any:
    """One job in its process, which ends when the stage does that started it."""
    command.end_with_parent()
    return function(*job)
