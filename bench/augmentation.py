"""Augmentation: chapter 5's 500,000 images by our `augment` stage's path against the chapter's way, one by one with PIL."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.lib import rows, trials, workplaces
from bench.lib.rows import Row
from bench.lib.trials import Way, Work
from relearn.data import arrays
from relearn.params.data import Augment
from relearn.sources import augmentation

KEY = "cifar10_augmented"
SOURCES = {"chapter": 2_000, "ours": 50_000}  # images, of which each gives ten
REPEATS = 3


def measure() -> dict[str, Any]:
    """Images made a second, ours of all, the chapter's of a part, and their ratio."""
    ways = {"chapter": Way(chapter, (SOURCES["chapter"],)), "ours": Way(ours, (SOURCES["ours"],))}
    each = 1 + workplaces.settings().augment[KEY].copies
    counts = {name: sources * each for name, sources in SOURCES.items()}
    return compared(trials.interleaved(ways, REPEATS, "augmentation").seconds, counts)


def compared(seconds: Mapping[str, Sequence[float]], counts: Mapping[str, int]) -> dict[str, Any]:
    """Rates, and the ratio of the seconds an image."""
    each = {name: [second / counts[name] for second in values] for name, values in seconds.items()}
    rate = {name: 1 / float(np.median(values)) for name, values in each.items()}
    return {"images": dict(counts), "images_per_second": rate, "times_chapter": trials.times(each["ours"], each["chapter"])}


def table(figures: Mapping[str, Any]) -> list[Row]:
    rate, images = figures["images_per_second"], figures["images"]
    against = f"PIL, image by image: {rate['chapter']:,.0f} images/s (measured on {images['chapter']:,})"
    figure = f"{rows.times(figures['times_chapter'])}: {images['ours'] / rate['ours']:.1f} s"
    return [Row(f"augmentation, {images['ours']:,} images", against, figure)]


def chapter(sources: int) -> Work:
    """The chapter's images, altered in memory and saved."""
    from bench.lib import chapters

    spec = block(sources)
    images = np.asarray(workplaces.cifar10(sources).images)

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "images.npy", chapters.augmented(images, 1 + spec.copies, spec.crop, np.random.default_rng(0)))

    return work


def ours(sources: int) -> Work:
    """Our stage's images: read from the data set's file, altered block by block, written as they come."""
    from stages import augment

    spec = block(sources)

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            images = arrays.read(workplaces.CIFAR10 / "train_images.npy")
            draws = augmentation.draw(spec, images.shape[1], 0, KEY)
            starts = range(0, len(draws), augment.BLOCK)
            blocks = (augmentation.apply(images, draws, slice(start, start + augment.BLOCK), spec.crop) for start in starts)
            arrays.write_blocks(Path(folder) / "images.npy", (len(draws), spec.crop, spec.crop, 3), blocks)

    return work


def block(sources: int) -> Augment:
    return workplaces.settings().augment[KEY].model_copy(update={"source_images": sources})
