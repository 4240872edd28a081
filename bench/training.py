"""Training: images a second of our `train` stage against the chapters' own way, and as a share of the processor's best."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.lib import rows, trials, workplaces
from bench.lib.rows import Row
from bench.lib.trials import Turns, Way, Work
from relearn.data import arrays
from relearn.params.training import Fit
from relearn.training import compute

VEHICLES = [0, 1, 8, 9]
TITLES = {
    "shallow_adadelta": ("training, shallow net", "1.5 x"),
    "deep_adadelta": ("training, deep net", "3 x"),
    "vehicles": ("training, deep net at 28 x 28", "3 x"),
    "cifar_deeper": ("training, T4's six convolutions", "1.5 x"),
}
PRODUCTS = 3  # of two matrices, a repeat
IMAGES = {"shallow_adadelta": 8_000, "deep_adadelta": 2_048, "vehicles": 2_560, "cifar_deeper": 2_560}  # of an epoch
REPEATS = 3  # of an epoch
MATRIX = 4_096  # height and width


def measure() -> dict[str, Any]:
    """For each net, images a second of each way and their ratios; the products' TFLOP/s as `peak`."""
    precisions = sorted({"float32", compute.precision(workplaces.settings().compute)})
    products = {name: Way(product, (name, MATRIX)) for name in precisions}
    operations = 2 * MATRIX**3 * PRODUCTS
    turns = trials.interleaved(products, REPEATS, "peak")
    peak = {name: operations / min(seconds) / 1e12 for name, seconds in turns.seconds.items()}
    nets = {}
    for key, images in IMAGES.items():
        ways = {"chapter": Way(chapter, (key, images))} | {name: Way(ours, (key, images, name)) for name in precisions}
        turns = trials.interleaved(ways, REPEATS, key)
        nets[key] = compared(turns, images, trials.apart(operations_of, key), peak)
    return {"peak_tflops": peak} | nets


def compared(turns: Turns, images: int, operations: int, peak: Mapping[str, float]) -> dict[str, Any]:
    """Figures of one net: `operations` are those of an image in training, `peak` the TFLOP/s of each precision.

    times_fastest: against the fastest of the chapter's epochs in place of the one of the same turn.
    """
    seconds = turns.seconds
    rate = {name: images / float(np.median(values)) for name, values in seconds.items()}
    return {
        "images_per_second": rate,
        "times_chapter": {name: trials.times(seconds[name], seconds["chapter"]) for name in peak},
        "times_fastest": {name: min(seconds["chapter"]) / float(np.median(seconds[name])) for name in peak},
        "cores": {name: float(np.median(values)) for name, values in turns.cores.items()},
        "operations_per_image": operations,
        "share_of_peak": {name: rate[name] * operations / 1e12 / peak[name] for name in peak},
    }


def table(figures: Mapping[str, Any]) -> list[Row]:
    best = "bfloat16" if "bfloat16" in figures["peak_tflops"] else "float32"
    lines = []
    for key, (title, goal) in TITLES.items():
        net = figures[key]
        rate = net["images_per_second"]
        busy = f"{net['cores']['chapter']:.1f} cores busy"
        against = f"Keras `fit` on float32 arrays: {rate['chapter']:,.0f} images/s, {busy}"
        for name in dict.fromkeys((best, "float32")):
            figure = f"{rows.times(net['times_chapter'][name])}: {rate[name]:,.0f} images/s"
            share = f"{rows.percent(net['share_of_peak'][name])} of the peak"
            more = f"{share}; {net['times_fastest'][name]:.2f} x against the fastest epoch of `fit`"
            lines.append(Row(f"{title}, {name}", against, f"{figure}, {more}", "1.0 x" if name == "float32" else goal))
    peaks = ", ".join(f"{value:.2f} TFLOP/s in {name}" for name, value in figures["peak_tflops"].items())
    return [*lines, Row("the peak: a large matrix product", "", peaks)]


def chapter(key: str, images: int) -> Work:
    """An epoch as the chapters train: float32 pixels in memory, one-hot labels, `fit`."""
    from bench.lib import chapters

    spec, split, n_classes = data(key, images)
    pixels, labels = chapters.prepared(split.images, split.labels, n_classes, spec.pixels == "standardized")
    model = chapters.NETWORKS[key]()
    chapters.fit(model, pixels[: 3 * spec.batch], labels[: 3 * spec.batch], spec.batch)
    return lambda: chapters.fit(model, pixels, labels, spec.batch)


def ours(key: str, images: int, precision: str, threads: int | None = None) -> Work:
    """An epoch as our stage trains, with all cores where no number of threads is named."""
    from bench.lib import ours
    from relearn.networks import nets

    settings = workplaces.settings()
    compute.configure(settings.compute.model_copy(update={"precision": precision}), threads)
    spec, split, n_classes = data(key, images)
    return ours.epoch(nets.for_data(settings.nets[spec.net], spec, split, n_classes, settings.seed), spec, split)


def data(key: str, images: int) -> tuple[Fit, arrays.Split, int]:
    """The experiment, images for it, and the number of classes."""
    spec = workplaces.settings().experiment("train", key)
    if key == "vehicles":
        return spec, workplaces.cifar10(images, VEHICLES, 28), len(VEHICLES)
    return spec, workplaces.cifar10(images), 10


def product(precision: str, side: int) -> Work:
    """Products of two square matrices: what the processor can do at best."""
    from relearn.networks.engine import tf

    left, right = (tf.cast(tf.random.normal((side, side)), precision) for _ in range(2))
    multiply = tf.function(tf.matmul)

    def work() -> None:
        for _ in range(PRODUCTS):
            multiply(left, right).numpy()

    work()
    return work


def operations_of(key: str) -> int:
    """Operations of an image in training, counted from the chapter's network."""
    from bench.lib import chapters
    from relearn.networks import nets

    return nets.TRAINING * nets.operations(chapters.NETWORKS[key]())
