"""Train several repeats on a small data set: from fresh weights, or from a trained network partly frozen.

    python -m stages.finetune freeze_both

Reads  params finetune.<key> (or repeat.<key>), protocols.<protocol>, nets.<net>; models/<start>.keras, data/<images>,
       data/views/<labels>
Writes metrics/finetune/<key>.json, plots/finetune/<key>.csv (each repeat)
"""

from functools import partial
from pathlib import Path

import pandas as pd

from relearn import checks
from relearn.data import arrays, places, records, seeds
from relearn.params.training import Finetune, Repeat
from relearn.params.whole import Params
from relearn.process import command, states, timings
from relearn.scoring import scores
from relearn.training import compute


def main(key: str) -> None:
    settings = checks.load()
    spec = block(settings, key)
    with timings.stage(f"finetune@{key}", settings.scale):
        jobs = [(repeat,) for repeat in range(spec.repeats)]
        rows, machines = zip(*compute.fan_out(settings.compute, partial(train_one, settings, key), jobs, f"finetune@{key}"),
                             strict=True)  # fmt: skip
        table = pd.DataFrame(rows)
        metrics = {
            "repeats": spec.repeats,
            "accuracy": float(table["accuracy"].mean()),
            "standard_error": table[["accuracy"]].sem().item(),  # NaN for one repeat
            "accuracy_before": float(table["accuracy_before"].mean()),
            "trainable_parameters": rows[0]["trainable_parameters"],
        }
        records.write_json(Path(f"metrics/finetune/{key}.json"), metrics | machines[0])
        records.write_csv(Path(f"plots/finetune/{key}.csv"), table)
        states.finish(f"finetune-{key}")
    print(f"{key}: accuracy {metrics['accuracy']:.4f} +- {metrics['standard_error']:.4f} over {spec.repeats} repeats")


def block(settings: Params, key: str) -> Repeat:
    """The block of `repeat` or of `finetune`."""
    return settings.repeat[key] if key in settings.repeat else settings.experiment("finetune", key)


def train_one(settings: Params, key: str, repeat: int) -> tuple[dict[str, float | int], dict[str, str | int]]:
    """One repeat with seeds of its own: accuracy before and after training on the scored test images, and the machine."""
    from relearn.networks import keras_file, nets  # TensorFlow, which only the workers need
    from relearn.training import fit
    from relearn.training.train import train

    spec = block(settings, key)
    machine = compute.configure(settings.compute, threads=1)
    view = arrays.open_view(spec.images, spec.labels)
    parts = view.parts(spec.validation, spec.holdout)
    seed = seeds.derive(settings.seed, "finetune", key, repeat)
    if isinstance(spec, Finetune):
        model = nets.adapt(keras_file.load(places.model(spec.start)), len(view.classes), spec.head, spec.freeze, seed)
    else:
        model = nets.for_data(settings.nets[spec.net], spec, parts.train, len(view.classes), seed)
    name, label = f"finetune-{key}-{repeat}", f"{key} repeat {repeat + 1}"
    training = train(model, spec, parts[:2], seed, machine, name, label, score=parts.score)
    before, after = (outputs.argmax(axis=1) for outputs in (training.before, fit.predict(model, parts.score)))
    return {
        "repeat": repeat + 1,
        "seed": seed,
        "accuracy_before": scores.accuracy(parts.score.labels, before),
        "accuracy": scores.accuracy(parts.score.labels, after),
        "loss": training.last["loss"],
        "trainable_parameters": nets.trainable_parameters(model),
    }, machine


if __name__ == "__main__":
    command.run(main)
