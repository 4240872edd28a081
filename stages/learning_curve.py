"""Train one network on ever fewer training images, several seeds each: how its accuracy depends on their number.

    python -m stages.learning_curve lenet

Reads  params learning_curve.<key>, nets.<net>; data/<images>, data/views/<labels>
Writes metrics/learning_curve/<key>.json, plots/learning_curve/<key>.csv (each training)
"""

from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from stages.lib import arrays, command, compute, params, records, scores, seeds, state, timings


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("learning_curve", key)
    with timings.stage(f"learning_curve@{key}", settings.scale):
        train, jobs = partial(train_one, settings, key), product(spec.counts, range(spec.repeats))
        rows, machines = zip(*compute.fan_out(settings.compute, train, jobs, f"learning_curve@{key}"), strict=True)
        table = pd.DataFrame(rows)
        found: dict[str, float | int] = {"repeats": spec.repeats, "parameters": rows[0]["parameters"]}
        for count in spec.counts:
            values = table.loc[table["images"] == count, "accuracy"].tolist()
            found |= {f"accuracy_{count}": float(np.mean(values)), f"standard_error_{count}": scores.standard_error(values)}
            print(f"{key}: {count} images, accuracy {np.mean(values):.4f} over {len(values)} seeds")
        most = max(spec.counts)
        found |= {"accuracy": found[f"accuracy_{most}"], "standard_error": found[f"standard_error_{most}"]}
        records.write_json(Path(f"metrics/learning_curve/{key}.json"), found | machines[0])
        records.write_csv(Path(f"plots/learning_curve/{key}.csv"), table.drop(columns="parameters"))
        for count in spec.counts:
            for repeat in range(spec.repeats):
                state.finish_all(f"learning_curve-{key}-{count}-{repeat}")


def train_one(settings: params.Params, key: str, count: int, repeat: int) -> tuple[dict[str, float | int], dict[str, str | int]]:
    """Accuracy on the scored test images after training on `count` images, and on what machine.

    The images of a repeat are drawn anew; those of a smaller count are among those of a larger one, and every
    network on the same view gets the same, so that networks can be compared repeat by repeat.
    """
    from stages.lib import fit, nets  # TensorFlow, which only the workers need

    spec = settings.experiment("learning_curve", key)
    machine = compute.configure(settings.compute, threads=1)
    view = arrays.open_view(spec.images, spec.labels)
    train, validation, score = view.parts(spec.validation, spec.holdout)
    drawn = seeds.generator(settings.seed, "learning_curve", spec.labels, repeat).permutation(len(train))[:count]
    train = train.part(drawn)
    seed = seeds.derive(settings.seed, "learning_curve", key, count, repeat)
    net = settings.nets[spec.net]
    model = nets.build(net, train.image_shape, len(view.classes), seed, nets.front(spec, train))
    trained = nets.trainer(model, spec, len(train))
    kept = state.folder(f"learning_curve-{key}-{count}-{repeat}", spec.model_dump(), net, seed, machine,
                        splits=[train, validation])  # fmt: skip
    fit.run(trained, train, validation, spec, seed, kept, f"{key}, {count} images, repeat {repeat + 1}")
    accuracy = scores.accuracy(score.labels, fit.predict(model, score).argmax(axis=1))
    return {"images": count, "repeat": repeat + 1, "seed": seed, "accuracy": accuracy,
            "parameters": model.count_params()}, machine  # fmt: skip


if __name__ == "__main__":
    command.run(main)
