"""Take some rows of a data set and give them new labels: a view, which copies no pixels.

    python -m stages.relabel animal_vehicle

Reads  params relabel.<key>; the labels in data/<images>
Writes data/views/<key>/{train,test}_{index,labels}.npy, classes.json, view.json
"""

import numpy as np

from relearn import checks
from relearn.data import arrays, records, seeds
from relearn.params.data import Relabel
from relearn.process import command, timings


def main(key: str) -> None:
    settings = checks.load()
    spec: Relabel = settings.experiment("relabel", key)
    with timings.stage(f"relabel@{key}", settings.scale):
        folder = arrays.VIEWS / key
        for split, limit in (("train", spec.train_images), ("test", spec.test_images)):
            _, labels = arrays.open_dataset(spec.images, split)
            rows, new_labels = select(np.asarray(labels), spec)
            if spec.shuffle:
                order = seeds.generator(settings.seed, "relabel", key, split).permutation(len(rows))
                rows, new_labels = rows[order], new_labels[order]
            if limit and limit > len(rows):
                raise ValueError(f"relabel.{key}.{split}_images: {limit} is more than there are, {len(rows)}")
            arrays.write(folder, **{f"{split}_index": rows[:limit], f"{split}_labels": new_labels[:limit]})
            print(f"{folder}: {split} has {len(rows[:limit])} of {len(labels)} images")
        all_classes = arrays.read_classes(arrays.DATA / spec.images)
        kept = [all_classes[number] for number in spec.keep] if spec.keep else all_classes
        arrays.write_classes(folder, spec.classes or kept)
        records.write_json(folder / "view.json", {"images": spec.images, "crop": spec.crop})


def select(labels: np.ndarray, spec: Relabel) -> tuple[np.ndarray, np.ndarray]:
    """Rows that the view takes, in the data set's order (uint32), and their new labels (uint8)."""
    if spec.positives:
        return np.arange(len(labels), dtype=np.uint32), np.isin(labels, spec.positives).astype(np.uint8)
    if spec.keep is None:
        return np.arange(len(labels), dtype=np.uint32), labels
    new = np.full(256, 255, np.uint8)
    new[spec.keep] = np.arange(len(spec.keep))
    rows = np.flatnonzero(np.isin(labels, spec.keep)).astype(np.uint32)
    return rows, new[labels[rows]]


if __name__ == "__main__":
    command.run(main)
