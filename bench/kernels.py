"""Kernels: what the same bytes on every processor cost, and what oneDNN gives where TensorFlow does not take it by itself."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench import training
from bench.lib import rows, trials
from bench.lib.rows import Row
from bench.lib.trials import Turns, Way
from bench.threads import PINNED
from relearn.data import processor

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
IMAGES = {"shallow_adadelta": 4_000, "deep_adadelta": 1_024, "vehicles": 1_280, "cifar_deeper": 1_280}  # of an epoch
REPEATS = 3  # of an epoch


def measure() -> dict[str, Any]:
    """For each net, images a second of a training in float32 with one thread by its kernels, and the ratios."""
    chosen = {"free": {ONEDNN: "1"}, "pinned": PINNED}
    if not has_avx512():
        chosen["without oneDNN"] = {ONEDNN: "0"}
    nets = {}
    for key, images in IMAGES.items():
        ways = {name: Way(training.ours, (key, images, "float32", 1), environment=own) for name, own in chosen.items()}
        nets[key] = compared(trials.interleaved(ways, REPEATS, key), images)
    return nets


def has_avx512() -> bool:
    """Whether TensorFlow takes oneDNN by itself."""
    return "avx512f" in processor.flags()


def compared(turns: Turns, images: int) -> dict[str, Any]:
    """Figures of one net; pinned_times: pinned against free, onednn_times: free against without oneDNN."""
    seconds = turns.seconds
    figures: dict[str, Any] = {
        "images_per_second": {name: images / float(np.median(values)) for name, values in seconds.items()},
        "pinned_times": trials.times(seconds["pinned"], seconds["free"]),
    }
    if "without oneDNN" in seconds:
        figures["onednn_times"] = trials.times(seconds["free"], seconds["without oneDNN"])
    return figures


def table(figures: Mapping[str, Any]) -> list[Row]:
    lines = []
    for key, (title, _) in training.TITLES.items():
        if key not in figures:
            continue
        net = figures[key]
        rate = net["images_per_second"]
        figure = f"{rows.times(net['pinned_times'])}: {rate['pinned']:,.0f} images/s"
        lines.append(Row(f"{title}, float32, one thread, kernels pinned", f"free: {rate['free']:,.0f} images/s", figure))
        if "onednn_times" in net:
            figure = f"{rows.times(net['onednn_times'])}: {rate['free']:,.0f} images/s"
            against = f"without: {rate['without oneDNN']:,.0f} images/s"
            lines.append(Row(f"{title}, float32, one thread, with oneDNN", against, figure))
    if not any("onednn_times" in net for net in figures.values() if isinstance(net, dict)):
        lines.append(Row("oneDNN on and off", "", "left out: this processor has AVX-512, so TensorFlow takes it by itself"))
    return lines
