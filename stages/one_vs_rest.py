"""Train one binary network a class, let the surest of them name the image, and compare with a multiclass network.

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

from stages.lib import arrays, command, compute, params, records, scores, seeds, state, timings

MODELS = Path("models/one_vs_rest")
MODEL = "model.keras"  # in the state of its training: jobs do not write into outputs, where one that dies would leave half a file


def main() -> None:
    settings = params.load()
    spec = settings.single("one_vs_rest")
    with timings.stage("one_vs_rest", settings.scale):
        view = arrays.open_view(spec.images, spec.labels)
        score = view.parts(spec.validation, spec.holdout).score
        rival = arrays.DATA / "predictions" / spec.against
        if not np.array_equal(arrays.read(rival / "rows.npy"), score.rows):
            raise ValueError(f"{rival}: was scored on other images than one_vs_rest")
        train = partial(train_one, settings)
        trained = compute.fan_out(settings.compute, train, list(enumerate(view.classes)), "one_vs_rest")
        columns, machines, states = zip(*trained, strict=True)
        MODELS.mkdir(parents=True, exist_ok=True)
        for name, kept in zip(view.classes, states, strict=True):
            shutil.copyfile(kept / MODEL, MODELS / f"{name}.keras")
        probabilities = np.stack(columns, axis=1)
        guesses = probabilities.argmax(axis=1)
        rival_guesses = arrays.read(rival / "probabilities.npy").argmax(axis=1)
        test = scores.mcnemar(guesses == score.labels, rival_guesses == score.labels)
        accuracy = scores.accuracy(score.labels, guesses)
        found = {"images": len(score), "accuracy": accuracy, "accuracy_against": scores.accuracy(score.labels, rival_guesses)}
        per_class = scores.per_class(score.labels, guesses, view.classes)
        records.write_json(Path("metrics/one_vs_rest.json"), found | test | per_class | machines[0])
        arrays.write_predictions("one_vs_rest", score, probabilities=probabilities)
        records.write_named(Path("plots/confusion/one_vs_rest.csv"), score.labels, guesses, view.classes)
        for name in view.classes:
            state.finish_all(f"one_vs_rest-{name}")
    rival_accuracy = found["accuracy_against"]
    print(f"one_vs_rest: accuracy {accuracy:.4f}, {spec.against} {rival_accuracy:.4f}, McNemar p {test['mcnemar_p']:.3g}")


def train_one(settings: params.Params, positive: int, name: str) -> tuple[np.ndarray, dict[str, str | int], Path]:
    """Trains the network of one class against all others: P(class) of each scored image (N), on what machine, and its state.
    The network is saved there.
    """
    from stages.lib import fit, keras_file, nets  # TensorFlow, which only the workers need

    spec = settings.single("one_vs_rest")
    machine = compute.configure(settings.compute, threads=1)
    view = arrays.open_view(spec.images, spec.labels)
    parts = view.parts(spec.validation, spec.holdout)
    train, validation = (replace(part, labels=(part.labels == positive).astype(np.uint8)) for part in parts[:2])
    seed = seeds.derive(settings.seed, "one_vs_rest", name)
    net = settings.nets[spec.net]
    model = nets.build(net, train.image_shape, 2, seed, nets.front(spec, train))
    trained = nets.trainer(model, spec, len(train))
    kept = state.folder(f"one_vs_rest-{name}", spec.model_dump(), net, seed, machine, splits=[train])
    fit.run(trained, train, validation, spec, seed, kept, f"one_vs_rest {name}")
    keras_file.save(model, kept / MODEL)
    return fit.predict(model, parts.score)[:, 1], machine, kept


if __name__ == "__main__":
    command.run(main)
