"""Fit the classical classifiers on embedded or on raw images, and score each.

    python -m stages.classify embedded

Reads  params classify.<key>, classifiers; data/<features>
Writes metrics/classify/<key>.json, plots/classify/<key>.csv (row-normalised confusion)
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.svm import LinearSVC

from stages.lib import arrays, params, records, scores, seeds, timings
from stages.lib.params import Classifier


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("classify", key)
    with timings.stage(f"classify@{key}", settings.scale):
        folder = arrays.DATA / spec.features
        x, y = features(folder, "train", spec.train_images)
        x_test, y_test = features(folder, "test", spec.test_images)
        names = arrays.read_classes(folder)
        rows: list[dict[str, str | float]] = []
        found: dict[str, int | float] = {"train_images": len(x), "test_images": len(x_test)}
        for name, classifier in settings.classifiers.items():
            print(f"{key}: {name} on {len(x)} images of {x.shape[1]} numbers", flush=True)
            guesses = build(classifier, seeds.derive(settings.seed, "classify", key, name)).fit(x, y).predict(x_test)
            found |= {f"accuracy_{name}": scores.accuracy(y_test, guesses)}
            percent = scores.row_percent(scores.confusion(y_test, guesses, len(names)))
            rows += [{"classifier": name, "actual": names[i], "predicted": names[j], "percent": percent[i, j]}
                     for i in range(len(names)) for j in range(len(names))]  # fmt: skip
        records.write_json(Path(f"metrics/classify/{key}.json"), found)
        records.write_csv(Path(f"plots/classify/{key}.csv"), pd.DataFrame(rows))
    print(f"{key}:", ", ".join(f"{name} {found[f'accuracy_{name}']:.4f}" for name in settings.classifiers))


def features(folder: Path, split: str, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """float32 (N, D) and labels: an embedding's numbers, or a data set's pixels scaled to [0, 1]."""
    if (embedded := folder / f"{split}_features.npy").is_file():
        return np.asarray(arrays.read(embedded)[:limit]), np.asarray(arrays.read(folder / f"{split}_labels.npy")[:limit])
    images, labels = arrays.open_dataset(folder.name, split)
    pixels = images[:limit].reshape(len(images[:limit]), -1)
    return pixels.astype(np.float32) / 255, np.asarray(labels[:limit])


def build(spec: Classifier, seed: int) -> ClassifierMixin:
    """The scikit-learn classifier that a block of `classifiers` describes."""
    match spec.kind:
        case "nearest_centroid":
            return NearestCentroid()
        case "nearest_neighbours":
            return KNeighborsClassifier(spec.neighbours, n_jobs=-1)
        case "random_forest":
            return RandomForestClassifier(spec.trees, random_state=seed, n_jobs=-1)
        case "linear_svm":
            return LinearSVC(C=spec.C, random_state=seed)


if __name__ == "__main__":
    params.run(main)
