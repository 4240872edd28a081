"""Look at the data before anything is trained: pictures, labels, class counts, pixel values.

    python -m stages.describe first_2000

Reads  params describe.<key>; data/<images>
Writes plots/describe/<key>_{sheet,example,scaled}.png, plots/describe/<key>_histogram.csv,
       metrics/describe/<key>.json (class counts, first labels)
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from relearn import checks
from relearn.data import arrays, records
from relearn.networks import shorthand
from relearn.painting import pictures
from relearn.params.data import Describe
from relearn.process import command, timings

COLUMNS = 8
BINS = 64
FIRST_LABELS = 10


def main(key: str) -> None:
    settings = checks.load()
    spec: Describe = settings.experiment("describe", key)
    with timings.stage(f"describe@{key}", settings.scale):
        images, labels = arrays.open_dataset(spec.images, "train")
        _, test_labels = arrays.open_dataset(spec.images, "test")
        names = arrays.read_classes(arrays.DATA / spec.images)
        folder = Path("plots/describe")
        pictures.sheet(images[: spec.sheet], COLUMNS, folder / f"{key}_sheet.png")
        example = Image.fromarray(images[spec.example])
        example.save(folder / f"{key}_example.png")
        example.resize((spec.side, spec.side), Image.Resampling.BILINEAR).save(folder / f"{key}_scaled.png")
        records.write_csv(folder / f"{key}_histogram.csv", histogram(images[: spec.train_images]))
        metrics: dict[str, int | str] = {
            "first_labels": " ".join(map(str, labels[:FIRST_LABELS].tolist())),
            "sheet_labels": " ".join(names[label] for label in labels[: spec.sheet]),
        }
        for split, seen in (("train", labels[: spec.train_images]), ("test", test_labels[: spec.test_images])):
            counts = np.bincount(seen, minlength=len(names)).tolist()
            metrics |= {f"{split}_{name}": count for name, count in zip(names, counts, strict=True)}
        records.write_json(Path(f"metrics/describe/{key}.json"), metrics)
    print(f"{key}: labels of the first training images {metrics['first_labels']}")


def histogram(images: np.ndarray) -> pd.DataFrame:
    """Shares of all pixel values, channel by channel, before and after caffe's preprocessing (less ImageNet's mean)."""
    rows = []
    for channel, (name, mean) in enumerate(zip(("red", "green", "blue"), shorthand.IMAGENET_MEAN, strict=True)):
        counts = np.bincount(images[..., channel].ravel(), minlength=256)
        binned = counts.reshape(BINS, -1).sum(axis=1) / counts.sum()
        start = np.arange(BINS) * (256 / BINS)
        rows += [{"stage": "as stored", "channel": name, "value": v, "share": s} for v, s in zip(start, binned, strict=True)]
        rows += [{"stage": "preprocessed", "channel": name, "value": v - mean, "share": s}
                 for v, s in zip(start, binned, strict=True)]  # fmt: skip
    return pd.DataFrame(rows)


if __name__ == "__main__":
    command.run(main)
