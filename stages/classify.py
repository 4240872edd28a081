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
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from relearn import checks
from relearn.data import arrays, records, seeds
from relearn.params.training import Classifier, Classify
from relearn.process import command, timings
from relearn.scoring import scores

LOGISTIC_STEPS = 1_000  # reached only when it does not converge


def main(key: str) -> None:
    settings = checks.load()
    spec: Classify = settings.experiment("classify", key)
    with timings.stage(f"classify@{key}", settings.scale):
        folder = arrays.DATA / spec.features
        x, y = features(spec, "train", spec.train_images)
        x_test, y_test = features(spec, "test", spec.test_images)
        names = arrays.read_classes(folder)
        rows: list[dict[str, str | float]] = []
        metrics: dict[str, int | float] = {"train_images": len(x), "test_images": len(x_test)}
        for name in spec.classifiers:
            classifier = settings.classifiers[name]
            print(f"{key}: {name} on {len(x)} images of {x.shape[1]} numbers", flush=True)
            guesses = build(classifier, seeds.derive(settings.seed, "classify", key, name)).fit(x, y).predict(x_test)
            metrics |= {f"accuracy_{name}": scores.accuracy(y_test, guesses)}
            percent = scores.row_percent(scores.confusion(y_test, guesses, len(names)))
            rows += [{"classifier": name, "actual": names[i], "predicted": names[j], "percent": percent[i, j]}
                     for i in range(len(names)) for j in range(len(names))]  # fmt: skip
        records.write_json(Path(f"metrics/classify/{key}.json"), metrics)
        records.write_csv(Path(f"plots/classify/{key}.csv"), pd.DataFrame(rows))
    print(f"{key}:", ", ".join(f"{name} {metrics[f'accuracy_{name}']:.4f}" for name in spec.classifiers))


def features(spec: Classify, split: str, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """float32 (N, D) and labels: an embedding's numbers, or a data set's pixels scaled to [0, 1]."""
    values, labels = arrays.open_dataset(spec.features, split)
    wide = values[:limit].astype(np.float32)
    if spec.pooled:
        wide = wide.mean(axis=(1, 2))
    scale = 255 if values.dtype == np.uint8 else 1
    return wide.reshape(len(wide), -1) / scale, np.asarray(labels[:limit])


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
        case "logistic_regression":
            return make_pipeline(StandardScaler(), LogisticRegression(C=spec.C, max_iter=LOGISTIC_STEPS))


if __name__ == "__main__":
    command.run(main)
