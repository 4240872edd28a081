"""Embedding: throughput of our `embed` stage against a bare `predict`, and its memory as the images grow in number."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.lib import rows, trials, workplaces
from bench.lib.rows import Row
from bench.lib.trials import Way, Work
from relearn.data import arrays
from relearn.training import compute

SAMPLE_SECONDS = 0.02
TINY_SIDE = 32
IMAGES, SIDE, REPEATS = 400, 224, 5
GROWTH = (1_000, 10_000, 100_000, 1_000_000)  # simulated images, for the memory


def measure() -> dict[str, Any]:
    """Images a second of both ways and their ratio; peak memory in MB for each number of images."""
    ways = {"predict": Way(bare, ()), "ours": Way(ours, ())}
    seconds = trials.interleaved(ways, REPEATS, "embedding").seconds
    rate = {name: IMAGES / float(np.median(values)) for name, values in seconds.items()}
    memory = {}
    for images in GROWTH:
        memory[str(images)] = grown(images)
        print(f"  embedding {images:,} simulated images: {memory[str(images)]}", flush=True)
    return {
        "images": IMAGES, "side": SIDE, "images_per_second": rate,
        "times_predict": trials.times(seconds["ours"], seconds["predict"]), "memory": memory,
    }  # fmt: skip


def table(figures: Mapping[str, Any]) -> list[Row]:
    rate = figures["images_per_second"]
    what = f"embedding with EfficientNet-Lite0 at {figures['side']} pixels: scaled from 32, written to a file"
    against = f"`predict` on scaled images in memory, as precise: {rate['predict']:.0f} images/s"
    figure = f"{rows.times(figures['times_predict'])}: {rate['ours']:.0f} images/s"
    peaks = {int(images): memory["own_megabytes"] for images, memory in figures["memory"].items()}
    counts = " -> ".join(f"{count:,}" for count in peaks)
    memory = " -> ".join(f"{peak:.0f}" for peak in peaks.values())
    return [
        Row(what, against, figure, "0.95 x"),
        Row(f"memory that `embed` allocates (MB) for {counts} simulated images of 32 pixels, tiny network", "", memory, "flat"),
    ]


def network(side: int) -> Any:
    from relearn.backbones import backbones
    from relearn.networks import keras_file

    compute.configure(workplaces.settings().compute)
    return backbones.trunk(keras_file.load(workplaces.LITE0), side)


def bare() -> Work:
    """Keras' predict of images that are in memory and have the network's side."""
    from relearn.networks.engine import tf
    from stages import embed

    lower = network(SIDE)
    images = workplaces.cifar10(IMAGES).images
    scaled = np.asarray(tf.cast(tf.round(tf.image.resize(images, (SIDE, SIDE))), tf.uint8))
    lower.predict(scaled[: embed.BLOCK], batch_size=embed.BLOCK, verbose=0)
    return lambda: lower.predict(scaled, batch_size=embed.BLOCK, verbose=0)


def ours() -> Work:
    """What `embed` does for a data set's images: scaled block by block, features written as they come."""
    from stages import embed

    spec = workplaces.settings().embed["first_2000"].model_copy(update={"side": SIDE})
    lower = network(SIDE)
    images = workplaces.cifar10(IMAGES).images

    def work(part: np.ndarray = images) -> None:
        with tempfile.TemporaryDirectory() as folder:
            blocks = embed.features(lower, part, spec, "embedding")
            arrays.write_blocks(Path(folder) / "f.npy", (len(part), *lower.output_shape[1:]), blocks, embed.dtype(spec))

    work(images[: embed.BLOCK])
    return work


def grown(images: int) -> dict[str, float]:
    """Peak memory in MB of the stage `embed` on so many simulated images (a file of zeros that takes no disk)."""
    with workplaces.with_params(lambda settings: simulated(settings, images)) as folder:
        trials.apart(simulate, folder, images)
        return dict(trials.apart(embedded, folder))


def embedded(folder: Path) -> dict[str, float]:
    """Runs the stage. own: what the process allocated; with_files: mapped files, too, which the system may take back."""
    os.chdir(folder)
    from stages import embed

    with sampled() as peak:
        embed.main("first_2000")
    return {"own_megabytes": max(peak) / 1e6, "with_files_megabytes": status("VmHWM") / 1e6}


def simulated(settings: dict[str, Any], images: int) -> None:
    """Params in which `first_2000` embeds that many images with the tiny network."""
    settings["download"]["cifar10"]["train_images"] = max(images, settings["download"]["cifar10"]["train_images"])
    settings["embed"]["first_2000"] |= {"side": None, "train_images": images, "test_images": 100}


def simulate(folder: Path, images: int) -> None:
    """In `folder`, CIFAR-10 of `images` black images, and a network of one small convolution as backbone."""
    from relearn.networks import keras_file
    from relearn.networks.engine import keras

    for name in ("data/cifar10", "models/backbones"):
        (folder / name).mkdir(parents=True)
    for split, count in (("train", images), ("test", 100)):
        for content, shape in (("images", (count, TINY_SIDE, TINY_SIDE, 3)), ("labels", (count,))):
            path = folder / f"data/cifar10/{split}_{content}.npy"
            np.lib.format.open_memmap(path, mode="w+", dtype="uint8", shape=shape)
    arrays.write_classes(folder / "data/cifar10", [str(label) for label in range(10)])
    image = output = keras.Input((TINY_SIDE, TINY_SIDE, 3), dtype="uint8", name="image")
    for layer in (
        keras.layers.Rescaling(1 / 255, name="scale"),
        keras.layers.Conv2D(8, 4, strides=4, name="conv"),
        keras.layers.GlobalAveragePooling2D(name="pooled"),
    ):
        output = layer(output)
    tiny = keras.Model(image, output)
    keras_file.save(tiny, folder / "models/backbones/lite0.keras")


@contextlib.contextmanager
def sampled() -> Iterator[list[int]]:
    """Bytes that this process has allocated, looked at all the while."""
    sizes = [status("RssAnon")]
    over = threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_SECONDS):
            sizes.append(status("RssAnon"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sizes
    finally:
        over.set()
        thread.join()


def status(field: str) -> int:
    """Bytes that /proc/self/status gives for `field`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
