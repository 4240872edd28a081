"""Threads: trainings at once x threads of each, with the kernels that scale quick pins."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench import training
from bench.lib import rows, trials
from bench.lib.rows import Row
from bench.lib.trials import Turns, Way
from relearn.data import pins, processor

PINNED = pins.KERNELS | {pins.MARK: "avx2"}
IMAGES = {"shallow_adadelta": 4_000, "deep_adadelta": 1_024, "cifar_deeper": 1_280}  # of an epoch
REPEATS = 3  # of an epoch


def measure() -> dict[str, Any]:
    """For each net, images a second of all trainings by `at once x threads`, and how many times as many as of one training."""
    nets = {}
    for key, images in IMAGES.items():
        ways = {
            shape(*pair): Way(training.ours, (key, images, "float32", pair[1]), pair[0], PINNED)
            for pair in pairs(processor.cores())
        }
        nets[key] = compared(trials.interleaved(ways, REPEATS, key), images)
    return nets


def pairs(cores: int) -> list[tuple[int, int]]:
    """Trainings at once and threads of each: all cores for one, one each, all for each; and one with one thread."""
    return list(dict.fromkeys([(1, cores), (cores, 1), (cores, cores), (1, 1)]))


def shape(at_once: int, threads: int) -> str:
    return f"{at_once} x {threads}"


def compared(turns: Turns, images: int) -> dict[str, Any]:
    """Figures of one net; `base` is the first way, one training that has all cores."""
    base = next(iter(turns.seconds))
    each = {name: [second / int(name.split()[0]) for second in seconds] for name, seconds in turns.seconds.items()}
    return {
        "images_per_second": {name: images / float(np.median(seconds)) for name, seconds in each.items()},
        "times_base": {name: trials.times(seconds, each[base]) for name, seconds in each.items()},
        "base": base,
    }


def table(figures: Mapping[str, Any]) -> list[Row]:
    lines = []
    for key, (title, _) in training.TITLES.items():
        if key not in figures:
            continue
        rate, gains, base = (figures[key][name] for name in ("images_per_second", "times_base", "base"))
        for name in rate:
            if name != base:
                what = f"{title}, float32, kernels pinned, {name} (at once x threads)"
                lines.append(
                    Row(what, f"{base}: {rate[base]:,.0f} images/s", f"{rows.times(gains[name])}: {rate[name]:,.0f} images/s")
                )
    return lines
