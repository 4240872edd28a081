"""Score one trained network on the test images that no curve has shown, and keep its predictions.

    python -m stages.evaluate animal_vehicle

Reads  params train.<key> (or transfer.<key>), evaluate; models/<key>.keras, data/<images>, data/views/<labels>
Writes metrics/evaluate/<key>.json, data/predictions/<key>/, plots/{confusion,roc}/<key>.csv,
       plots/evaluate/<key>.json (classification report, surest mistakes with their pictures, ...)
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.lib import arrays, command, compute, crops, fit, keras_file, nets, params, pictures, records, scores, timings
from stages.lib.arrays import Parts, Split, View
from stages.lib.engine import keras

MISTAKES = 24
AUGMENTED, VERSIONS = 6, 9  # images shown, and changed versions of each


def main(key: str) -> None:
    settings = params.load()
    with timings.stage(f"evaluate@{key}", settings.scale):
        compute.configure(settings.compute)
        view, parts = opened(settings, key)
        score = parts.score
        model = keras_file.load(Path(f"models/{key}.keras"))
        views = settings.evaluate.test_time_augmentation.get(key)
        probabilities = fit.predict(model, score, views)
        guesses = probabilities.argmax(axis=1)
        found = scores.multiclass(score.labels, probabilities, view.classes)
        if views:
            found["accuracy_of_one_view"] = scores.accuracy(score.labels, fit.predict(model, score).argmax(axis=1))
        if len(view.classes) == 2:
            found |= scores.binary(score.labels, probabilities[:, 1], guesses)
            found |= fine_errors(score.labels, guesses, score.fine_labels, view)
        shown: dict[str, Any] = {
            "mistakes": mistakes(score, probabilities, view),
            "report": scores.report(score.labels, guesses, view.classes),
        }
        if key in settings.evaluate.also_train:
            seen = fit.predict(model, parts.train, views)
            found |= {f"train_{name}": n for name, n in scores.multiclass(parts.train.labels, seen, view.classes).items()}
            counts = scores.confusion(parts.train.labels, seen.argmax(axis=1), len(view.classes))
            shown["train_confusion"] = counts.tolist()
        if key in settings.train and (changes := settings.train[key].augmentation):
            shown["augmented"] = augmented(parts.train, changes)
        records.write_json(Path(f"metrics/evaluate/{key}.json"), found)
        records.write_json(Path(f"plots/evaluate/{key}.json"), shown)
        arrays.write_predictions(key, score, probabilities=probabilities)
        records.write_named(Path(f"plots/confusion/{key}.csv"), score.labels, guesses, view.classes)
        names = dict(enumerate(view.classes))
        roc = pd.DataFrame(scores.roc(score.labels, probabilities, len(names))).replace({"class": names})
        records.write_csv(Path(f"plots/roc/{key}.csv"), roc)
    print(f"{key}: accuracy {found['accuracy']:.4f} on {len(score)} test images")


def opened(settings: params.Params, key: str) -> tuple[View, Parts]:
    """The data that training `key` of `train`, or of `transfer`, was about, and its parts."""
    if key in settings.transfer:
        transfer = settings.transfer[key]
        view = arrays.open_whole(transfer.images)
        return view, view.parts(holdout=transfer.holdout)
    spec = settings.experiment("train", key)
    view = arrays.open_view(spec.images, spec.labels)
    return view, view.parts(spec.validation, spec.holdout)


def augmented(train: Split, changes: params.Augmentation) -> str:
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
    """The wrongly named images with the highest probabilities, surest first; of an embedding without their pictures."""
    guesses, surest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(guesses != score.labels)
    worst = wrong[np.argsort(-surest[wrong], kind="stable")][:MISTAKES]
    drawn = score.images.dtype == np.uint8
    return [
        {
            "image": pictures.data_uri(score.images[score.rows[place]]) if drawn else "",
            "guess": view.classes[guesses[place]],
            "truth": view.fine_classes[score.fine_labels[place]],
            "percent": f"{100 * surest[place]:.1f}",
            "row": int(score.rows[place]),
        }
        for place in worst
    ]


if __name__ == "__main__":
    command.run(main)
