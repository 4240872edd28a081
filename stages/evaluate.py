"""Score one trained network on the test images that no curve has shown, and keep its predictions.

    python -m stages.evaluate animal_vehicle

Reads  params train.<key>; models/<key>.keras, data/<images>, data/views/<labels>
Writes metrics/evaluate/<key>.json, data/predictions/<key>/, plots/{confusion,roc}/<key>.csv
"""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.lib import arrays, compute, fit, nets, params, records, scores, timings
from stages.lib.arrays import View


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("train", key)
    with timings.stage(f"evaluate@{key}", settings.scale):
        compute.configure(settings.compute)
        view = arrays.open_view(spec.images, spec.labels)
        _, score = view.validation_and_score(spec.validation)
        probabilities = fit.predict(nets.load(Path(f"models/{key}.keras")), score)
        guesses = probabilities.argmax(axis=1)
        found = scores.multiclass(score.labels, probabilities, view.classes)
        if len(view.classes) == 2:
            found |= scores.binary(score.labels, probabilities[:, 1], guesses)
            found |= fine_errors(score.labels, guesses, score.fine_labels, view)
        records.write_json(Path(f"metrics/evaluate/{key}.json"), found)
        folder = arrays.DATA / "predictions" / key
        arrays.write(folder, probabilities=probabilities, labels=score.labels, rows=score.rows)
        names = np.array(view.classes)
        table = pd.DataFrame({"actual": names[score.labels], "predicted": names[guesses]})
        records.write_csv(Path(f"plots/confusion/{key}.csv"), table)
        roc = pd.DataFrame(scores.roc(score.labels, probabilities, len(names))).replace({"class": dict(enumerate(names))})
        records.write_csv(Path(f"plots/roc/{key}.csv"), roc)
    print(f"{key}: accuracy {found['accuracy']:.4f} on {len(score)} test images")


def fine_errors(labels: np.ndarray, guesses: np.ndarray, fine: np.ndarray, view: View) -> dict[str, int]:
    """Both kinds of error counted by the data set's own classes: `<true>_called_<guess>_<fine class>`."""
    negative, positive = view.classes
    counts: dict[str, int] = {}
    for truth, kind in ((0, f"{negative}_called_{positive}"), (1, f"{positive}_called_{negative}")):
        wrong = fine[(labels == truth) & (guesses != truth)]
        by_class = np.bincount(wrong, minlength=len(view.fine_classes))
        counts |= {f"{kind}_{name}": int(n) for name, n in zip(view.fine_classes, by_class, strict=True)}
    return counts


if __name__ == "__main__":
    params.run(main)
