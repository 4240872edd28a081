"""Repeats: trainings of one thread each side by side against one after the other with all threads; jobs x threads."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from joblib.externals.loky import get_reusable_executor

from bench.lib import rows, trials, workplaces
from bench.lib.rows import Row
from relearn.data import processor
from relearn.training import compute

TITLES = {"one_vs_rest": "one-vs-rest networks (shallow)", "finetune": "fine-tuning repeats (deep, conv 0 and 1 frozen)"}


@dataclass(frozen=True)
class Size:
    """Trainings of each kind, images and epochs of each, how often all of them are done."""

    trainings: int
    images: Mapping[str, int]
    epochs: int
    repeats: int


FULL = Size(4, {"one_vs_rest": 3_000, "finetune": 640}, 2, 3)


def measure(size: Size = FULL) -> dict[str, Any]:
    """For each kind of work, seconds of all trainings by `jobs x threads`, and the gain of one thread a job."""
    about = {"trainings": size.trainings, "images": dict(size.images), "epochs": size.epochs}
    return about | {kind: kind_of(kind, size) for kind in TITLES}


def kind_of(kind: str, size: Size) -> dict[str, Any]:
    """The matrix for one kind of work. Starting the processes and importing TensorFlow count: a stage waits for them, too."""
    cores = processor.cores()
    seconds: dict[str, list[float]] = {shape(*pair): [] for pair in pairs(cores)}
    for _ in range(size.repeats):
        for jobs, threads in pairs(cores):
            seconds[shape(jobs, threads)].append(trials.apart(all_trained, kind, jobs, threads, size))
    for name, values in seconds.items():
        print(f"  {kind}, {name} threads: {', '.join(f'{value:.1f}' for value in values)} s", flush=True)
    one_after_the_other = seconds[shape(1, cores)]
    return {
        "seconds": seconds,
        "times_one_after_the_other": {name: trials.times(values, one_after_the_other) for name, values in seconds.items()},
        "one_after_the_other": shape(1, cores),
        "chosen": shape(cores, 1),
    }


def pairs(cores: int) -> list[tuple[int, int]]:
    """Jobs and threads of each that fill the cores, most threads first; and what one job does with one thread."""
    filling = [(jobs, cores // jobs) for jobs in range(1, cores + 1) if cores % jobs == 0]
    return filling if cores == 1 else [*filling, (1, 1)]


def shape(jobs: int, threads: int) -> str:
    return f"{jobs} x {threads}"


def table(figures: Mapping[str, Any]) -> list[Row]:
    lines = []
    for kind, title in TITLES.items():
        gains = figures[kind]["times_one_after_the_other"]
        chosen, base = figures[kind]["chosen"], figures[kind]["one_after_the_other"]
        others = ", ".join(f"{name}: {gain['median']:.2f} x" for name, gain in gains.items() if name not in (chosen, base))
        about = f"{figures['trainings']} trainings of {figures['images'][kind]:,} images x {figures['epochs']} epochs"
        what = f"{title}, {chosen} (jobs x threads): {about}, their start included"
        lines.append(Row(what, f"one after the other, {base}" + (f" ({others})" if others else ""), rows.times(gains[chosen])))
    return lines


def all_trained(kind: str, jobs: int, threads: int, size: Size) -> float:
    """Wall-clock seconds of all trainings, with the start of their processes."""
    spec = workplaces.settings().compute.model_copy(update={"jobs": jobs})
    started = time.perf_counter()
    compute.fan_out(spec, partial(trained, kind, threads, size), [(repeat,) for repeat in range(size.trainings)], kind)
    seconds = time.perf_counter() - started
    if jobs > 1:
        get_reusable_executor().shutdown(kill_workers=True)  # joblib keeps them for five minutes, and this process waits for them
    return seconds


def trained(kind: str, threads: int, size: Size, repeat: int) -> float:
    """One training as the stage of this name does it, with `threads`; its last loss."""
    from relearn.networks import nets
    from relearn.training.train import train

    settings = workplaces.settings()
    machine = compute.configure(settings.compute, threads)
    one_vs_rest = kind == "one_vs_rest"
    spec = (settings.single(kind) if one_vs_rest else settings.finetune["freeze_both"]).model_copy(update={"epochs": size.epochs})
    split = workplaces.cifar10(size.images[kind], None if one_vs_rest else [3, 5], None if one_vs_rest else 28)
    if one_vs_rest:
        split.labels[:] = split.labels == repeat % 10
    model = nets.for_data(settings.nets[spec.net], spec, split, 2, repeat)
    for name in () if one_vs_rest else spec.freeze:
        model.get_layer(name).trainable = False
    with tempfile.TemporaryDirectory() as kept:
        return train(model, spec, [split, split.part(slice(0))], repeat, machine, kind, kept=Path(kept)).last["loss"]
