"""Make chapter 5's augmented data set: one plain and several altered crops of every image, shuffled once.

    python -m stages.augment cifar10_augmented

Reads  params augment.<key>; data/<images>
Writes data/<key>/{train,test}_{images,labels}.npy, classes.json; plots/augmentation/<key>.png,
       metrics/augment/<key>.json
"""

from pathlib import Path

import numpy as np

from relearn import checks
from relearn.data import arrays, records
from relearn.painting import pictures
from relearn.params.data import Augment
from relearn.process import command, timings
from relearn.process.progress import Progress
from relearn.sources import augmentation

BLOCK = 5_000
SHEET_SOURCES = 6


def main(key: str) -> None:
    settings = checks.load()
    spec: Augment = settings.experiment("augment", key)
    with timings.stage(f"augment@{key}", settings.scale):
        images, labels = arrays.open_dataset(spec.images, "train")
        draws = augmentation.draw(spec, images.shape[1], settings.seed, key)
        folder = arrays.DATA / key
        test_images, test_labels = arrays.open_dataset(spec.images, "test")
        arrays.write(
            folder,
            train_labels=labels[draws.source],
            test_images=arrays.centre_crop(test_images, spec.crop),
            test_labels=test_labels,
        )
        arrays.write_classes(folder, arrays.read_classes(arrays.DATA / spec.images))
        path = folder / "train_images.npy"
        starts = Progress(range(0, len(draws), BLOCK), desc=f"augment@{key}", unit="block")
        blocks = (augmentation.apply(images, draws, slice(start, start + BLOCK), spec.crop) for start in starts)
        arrays.write_blocks(path, (len(draws), spec.crop, spec.crop, images.shape[3]), blocks)
        first = np.flatnonzero(draws.source < SHEET_SOURCES)
        order = np.lexsort((draws.copy[first], draws.source[first]))
        pictures.sheet(arrays.read(path)[first[order]], 1 + spec.copies, Path(f"plots/augmentation/{key}.png"))
        metrics = {"train_images": len(draws), "test_images": len(test_labels), "side": spec.crop}
        records.write_json(Path(f"metrics/augment/{key}.json"), metrics)
    print(f"{folder}: {len(draws)} training images from {spec.source_images}, {len(test_labels)} test images")


if __name__ == "__main__":
    command.run(main)
