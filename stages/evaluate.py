"""Score one trained network on the test images that no curve has shown, and keep its predictions.

    python -m stages.evaluate animal_vehicle

Reads  params train.<key> (or transfer.<key>), evaluate; models/<key>.keras, data/<images>, data/views/<labels>
Writes metrics/evaluate/<key>.json, data/predictions/<key>/, plots/{confusion,roc}/<key>.csv,
       plots/evaluate/<key>.json (classification report, most confident mistakes with their pictures, ...)
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relearn import checks
from relearn.data import arrays, records
from relearn.data.arrays import Parts, Split, View
from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from relearn.painting import pictures
from relearn.params.training import Augmentation, Evaluate, Fit
from relearn.params.whole import Params
from relearn.process import command, timings
from relearn.scoring import scores
from relearn.training import compute, crops, fit

MISTAKES = 24
AUGMENTED, VERSIONS = 6, 9  # images shown, and changed versions of each


def main(key: str) -> None:
    settings = checks.load()
    with timings.stage(f"evaluate@{key}", settings.scale):
        compute.configure(settings.compute)
        view, parts = opened(settings, key)
        model = keras_file.load(Path(f"models/{key}.keras"))
        probabilities = fit.predict(model, parts.score, settings.evaluate.test_time_augmentation.get(key))
        metrics = scored(model, view, parts.score, probabilities, settings.evaluate, key)
        report = scores.report(parts.score.labels, probabilities.argmax(axis=1), view.classes)
        shown: dict[str, Any] = {"mistakes": mistakes(parts.score, probabilities, view), "report": report}
        if key in settings.evaluate.also_train:
            more, shown["train_confusion"] = on_training_images(model, view, parts.train, settings.evaluate, key)
            metrics |= more
        if key in settings.train and (changes := settings.train[key].augmentation):
            shown["augmented"] = augmented(parts.train, changes)
        records.write_json(Path(f"metrics/evaluate/{key}.json"), metrics)
        records.write_json(Path(f"plots/evaluate/{key}.json"), shown)
        arrays.write_predictions(key, parts.score, probabilities=probabilities)
        write_plots(key, view, parts.score.labels, probabilities)
    print(f"{key}: accuracy {metrics['accuracy']:.4f} on {len(parts.score)} test images")


def opened(settings: Params, key: str) -> tuple[View, Parts]:
    """The data that training `key` of `train`, or of `transfer`, was about, and its parts."""
    if key in settings.transfer:
        transfer = settings.transfer[key]
        view = arrays.open_whole(transfer.images)
        return view, view.parts(holdout=transfer.holdout)
    spec: Fit = settings.experiment("train", key)
    view = arrays.open_view(spec.images, spec.labels)
    return view, view.parts(spec.validation, spec.holdout)


def scored(model: keras.Model, view: View, score: Split, probabilities: np.ndarray, spec: Evaluate, key: str) -> scores.Flat:
    """Every figure of the scored images; for two classes those of Kneusel ch. 11, too."""
    guesses = probabilities.argmax(axis=1)
    metrics = scores.multiclass(score.labels, probabilities, view.classes)
    if key in spec.test_time_augmentation:
        metrics["accuracy_of_one_view"] = scores.accuracy(score.labels, fit.predict(model, score).argmax(axis=1))
    if len(view.classes) == 2:
        metrics |= scores.binary(score.labels, probabilities[:, 1], guesses)
        metrics |= fine_errors(score.labels, guesses, score.fine_labels, view)
    return metrics


def on_training_images(
    model: keras.Model, view: View, train: Split, spec: Evaluate, key: str
) -> tuple[scores.Flat, list[list[int]]]:
    """The same figures of the training images, as train_<name>, and their confusion matrix in counts."""
    probabilities = fit.predict(model, train, spec.test_time_augmentation.get(key))
    metrics = scores.multiclass(train.labels, probabilities, view.classes)
    counts = scores.confusion(train.labels, probabilities.argmax(axis=1), len(view.classes))
    return {f"train_{name}": value for name, value in metrics.items()}, counts.tolist()


def write_plots(key: str, view: View, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Writes the confusion table and the ROC curves."""
    records.write_predicted(Path(f"plots/confusion/{key}.csv"), labels, probabilities.argmax(axis=1), view.classes)
    names = dict(enumerate(view.classes))
    roc = pd.DataFrame(scores.roc(labels, probabilities, len(names))).replace({"class": names})
    records.write_csv(Path(f"plots/roc/{key}.csv"), roc)


def augmented(train: Split, changes: Augmentation) -> str:
    """A sheet of the first training images, each as it is and as the augmentation changes it, as a `data:` address."""
    random = keras.Sequential([keras.layers.Identity(), *nets.augmentation(changes)])
    images = train.batch(slice(0, AUGMENTED))
    versions = [images]
    for epoch in range(VERSIONS):
        fit.reset_random_layers(random, 0, epoch)
        changed = crops.apply(images, crops.draw(changes, len(images), 0, epoch))
        versions.append(np.asarray(random(changed, training=True)).round().astype(np.uint8))
    return pictures.sheet_uri(np.stack(versions, axis=1).reshape(-1, *images.shape[1:]), 1 + VERSIONS)


def fine_errors(labels: np.ndarray, guesses: np.ndarray, fine: np.ndarray, view: View) -> dict[str, int]:
    """Both kinds of error counted by the data set's own classes: `<true>_called_<guess>_<fine class>`."""
    negative, positive = view.classes
    counts: dict[str, int] = {}
    for truth, kind in ((0, f"{negative}_called_{positive}"), (1, f"{positive}_called_{negative}")):
        wrong = fine[(labels == truth) & (guesses != truth)]
        by_class = np.bincount(wrong, minlength=len(view.fine_classes))
        counts |= {f"{kind}_{name}": int(n) for name, n in zip(view.fine_classes, by_class, strict=True)}
    return counts


def mistakes(score: Split, probabilities: np.ndarray, view: View) -> list[dict[str, Any]]:
    """The misclassified images, most confident first; of an embedding without their pictures."""
    guesses, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(guesses != score.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    drawn = score.images.dtype == np.uint8
    return [
        {
            "image": pictures.data_uri(score.images[score.rows[place]]) if drawn else "",
            "guess": view.classes[guesses[place]],
            "truth": view.fine_classes[score.fine_labels[place]],
            "percent": f"{100 * confidence[place]:.1f}",
            "row": int(score.rows[place]),
        }
        for place in worst
    ]


if __name__ == "__main__":
    command.run(main)
