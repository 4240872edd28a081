"""Train one binary network a class, let the most confident of them label the image, compare with a multiclass network.

    python -m stages.one_vs_rest

Reads  params one_vs_rest, nets.<net>; data/<images>, data/views/<labels>, data/predictions/<against>
Writes models/one_vs_rest/<class>.keras, metrics/one_vs_rest.json, data/predictions/one_vs_rest/,
       plots/confusion/one_vs_rest.csv
"""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from relearn import checks
from relearn.data import arrays, records, seeds
from relearn.params.training import OneVsRest
from relearn.params.whole import Params
from relearn.process import command, states, timings
from relearn.scoring import scores
from relearn.training import compute

MODELS = Path("models/one_vs_rest")
MODEL = "model.keras"  # in the state of its training: a job does not write into outputs, where one that dies leaves half a file


def main() -> None:
    settings = checks.load()
    spec: OneVsRest = settings.single("one_vs_rest")
    with timings.stage("one_vs_rest", settings.scale):
        view = arrays.open_view(spec.images, spec.labels)
        score = view.parts(spec.validation, spec.holdout).score
        rival = arrays.DATA / "predictions" / spec.against
        if not np.array_equal(arrays.read(rival / "rows.npy"), score.rows):
            raise ValueError(f"{rival}: was scored on other images than one_vs_rest")
        jobs = list(enumerate(view.classes))
        trained = compute.fan_out(settings.compute, partial(train_one, settings), jobs, "one_vs_rest")
        columns, machines, folders = zip(*trained, strict=True)
        MODELS.mkdir(parents=True, exist_ok=True)
        for name, kept in zip(view.classes, folders, strict=True):
            shutil.copyfile(kept / MODEL, MODELS / f"{name}.keras")
        probabilities = np.stack(columns, axis=1)
        guesses = probabilities.argmax(axis=1)
        rival_guesses = arrays.read(rival / "probabilities.npy").argmax(axis=1)
        test = scores.mcnemar(guesses == score.labels, rival_guesses == score.labels)
        metrics = {
            "images": len(score),
            "accuracy": scores.accuracy(score.labels, guesses),
            "accuracy_against": scores.accuracy(score.labels, rival_guesses),
        }
        per_class = scores.per_class(score.labels, guesses, view.classes)
        records.write_json(Path("metrics/one_vs_rest.json"), metrics | test | per_class | machines[0])
        arrays.write_predictions("one_vs_rest", score, probabilities=probabilities)
        records.write_predicted(Path("plots/confusion/one_vs_rest.csv"), score.labels, guesses, view.classes)
        states.finish("one_vs_rest")
    print(f"one_vs_rest: accuracy {metrics['accuracy']:.4f}, {spec.against} {metrics['accuracy_against']:.4f}, "
          f"McNemar p {test['mcnemar_p']:.3g}")  # fmt: skip


def train_one(settings: Params, positive: int, name: str) -> tuple[np.ndarray, dict[str, str | int], Path]:
    """Trains the network of one class against all others.

    Returns P(class) of each scored image (N), the machine, and the folder in which the network is saved.
    """
    from relearn.networks import keras_file, nets  # TensorFlow, which only the workers need
    from relearn.training import fit
    from relearn.training.train import train

    spec: OneVsRest = settings.single("one_vs_rest")
    machine = compute.configure(settings.compute, threads=1)
    parts = arrays.open_view(spec.images, spec.labels).parts(spec.validation, spec.holdout)
    splits = [replace(part, labels=(part.labels == positive).astype(np.uint8)) for part in parts[:2]]
    seed = seeds.derive(settings.seed, "one_vs_rest", name)
    model = nets.for_data(settings.nets[spec.net], spec, splits[0], 2, seed)
    training = train(model, spec, splits, seed, machine, f"one_vs_rest-{positive}", f"one_vs_rest {name}")
    keras_file.save(model, training.state / MODEL)
    return fit.predict(model, parts.score)[:, 1], machine, training.state


if __name__ == "__main__":
    command.run(main)
