"""Train several repeats on a small data set, from fresh weights or from a trained network partly frozen.

    python -m stages.finetune freeze_both

Reads  params finetune.<key>, nets.<net>; models/<base>.keras, data/<images>, data/views/<labels>
Writes metrics/finetune/<key>.json, plots/finetune/<key>.csv (each repeat)
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from stages.lib import arrays, command, compute, params, records, scores, seeds, state, timings


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("finetune", key)
    with timings.stage(f"finetune@{key}", settings.scale):
        train, jobs = partial(train_one, settings, key), [(repeat,) for repeat in range(spec.repeats)]
        repeats, machines = zip(*compute.fan_out(settings.compute, train, jobs, f"finetune@{key}"), strict=True)
        table = pd.DataFrame(repeats)
        after, before = table["accuracy"].tolist(), table["accuracy_before"].tolist()
        found = {
            "repeats": spec.repeats,
            "accuracy": float(np.mean(after)),
            "standard_error": scores.standard_error(after),
            "accuracy_before": float(np.mean(before)),
            "trainable_parameters": repeats[0]["trainable_parameters"],
        }
        records.write_json(Path(f"metrics/finetune/{key}.json"), found | machines[0])
        records.write_csv(Path(f"plots/finetune/{key}.csv"), table)
        for repeat in range(spec.repeats):
            state.finish_all(f"finetune-{key}-{repeat}")
    print(f"{key}: accuracy {found['accuracy']:.4f} +- {found['standard_error']:.4f} over {spec.repeats} repeats")


def train_one(settings: params.Params, key: str, repeat: int) -> tuple[dict[str, float | int], dict[str, str | int]]:
    """One repeat with seeds of its own: accuracy before and after training on the scored test images, and on what."""
    from stages.lib import fit, keras_file, nets  # TensorFlow, which only the workers need

    spec = settings.experiment("finetune", key)
    machine = compute.configure(settings.compute, threads=1)
    view = arrays.open_view(spec.images, spec.labels)
    train, validation, score = view.parts(spec.validation, spec.holdout)
    seed = seeds.derive(settings.seed, "finetune", key, repeat)
    if spec.base is None:
        model = nets.build(settings.nets[spec.net], train.image_shape, len(view.classes), seed, nets.front(spec, train))
    else:
        model = nets.adapt(keras_file.load(Path(spec.start)), len(view.classes), spec.head, spec.freeze, seed)
    trained = nets.trainer(model, spec, len(train))
    weights = model.get_weights()
    before = scores.accuracy(score.labels, fit.predict(model, score).argmax(axis=1))
    kept = state.folder(f"finetune-{key}-{repeat}", spec.model_dump(), seed, machine,
                             splits=[train, validation], weights=weights)  # fmt: skip
    history = fit.run(trained, train, validation, spec, seed, kept, f"{key} repeat {repeat + 1}")
    result: dict[str, float | int] = {
        "repeat": repeat + 1,
        "seed": seed,
        "accuracy_before": before,
        "accuracy": scores.accuracy(score.labels, fit.predict(model, score).argmax(axis=1)),
        "loss": float(history["loss"].iloc[-1]),
        "trainable_parameters": sum(int(np.prod(weight.shape)) for weight in model.trainable_weights),
    }
    return result, machine


if __name__ == "__main__":
    command.run(main)
