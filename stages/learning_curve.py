"""Train one network on ever fewer training images, several seeds each: how its accuracy depends on their number.

    python -m stages.learning_curve lenet

Reads  params learning_curve.<key>, protocols.<protocol>, nets.<net>; data/<images>, data/views/<labels>
Writes metrics/learning_curve/<key>.json, plots/learning_curve/<key>.csv (each training)
"""

from functools import partial
from itertools import product
from pathlib import Path

import pandas as pd

from relearn import checks
from relearn.data import arrays, records, seeds
from relearn.params.training import LearningCurve
from relearn.params.whole import Params
from relearn.process import command, states, timings
from relearn.scoring import scores
from relearn.training import compute


def main(key: str) -> None:
    settings = checks.load()
    spec: LearningCurve = settings.experiment("learning_curve", key)
    with timings.stage(f"learning_curve@{key}", settings.scale):
        train, jobs = partial(train_one, settings, key), product(spec.counts, range(spec.repeats))
        rows, machines = zip(*compute.fan_out(settings.compute, train, jobs, f"learning_curve@{key}"), strict=True)
        table = pd.DataFrame(rows)
        metrics: dict[str, float | int] = {"repeats": spec.repeats, "parameters": rows[0]["parameters"]}
        for count in spec.counts:
            values = table.loc[table["images"] == count, ["accuracy"]]
            mean = values.mean().item()
            metrics |= {f"accuracy_{count}": mean, f"standard_error_{count}": values.sem().item()}
            print(f"{key}: {count} images, accuracy {mean:.4f} over {len(values)} seeds")
        most = max(spec.counts)
        metrics |= {"accuracy": metrics[f"accuracy_{most}"], "standard_error": metrics[f"standard_error_{most}"]}
        records.write_json(Path(f"metrics/learning_curve/{key}.json"), metrics | machines[0])
        records.write_csv(Path(f"plots/learning_curve/{key}.csv"), table.drop(columns="parameters"))
        states.finish(f"learning_curve-{key}")


def train_one(settings: Params, key: str, count: int, repeat: int) -> tuple[dict[str, float | int], dict[str, str | int]]:
    """Accuracy on the scored test images after training on `count` images, and the machine.

    The images of a repeat are drawn anew; those of a smaller count are among those of a larger one, and every
    network on the same view gets the same, so that networks can be compared repeat by repeat.
    """
    from relearn.networks import nets  # TensorFlow, which only the workers need
    from relearn.training import fit
    from relearn.training.train import train

    spec: LearningCurve = settings.experiment("learning_curve", key)
    machine = compute.configure(settings.compute, threads=1)
    view = arrays.open_view(spec.images, spec.labels)
    whole, validation, score = view.parts(spec.validation, spec.holdout)
    drawn = seeds.generator(settings.seed, "learning_curve", spec.labels, repeat).permutation(len(whole))[:count]
    splits = (whole.part(drawn), validation)
    seed = seeds.derive(settings.seed, "learning_curve", key, count, repeat)
    model = nets.for_data(settings.nets[spec.net], spec, splits[0], len(view.classes), seed)
    name, label = f"learning_curve-{key}-{count}-{repeat}", f"{key}, {count} images, repeat {repeat + 1}"
    train(model, spec, splits, seed, machine, name, label)
    accuracy = scores.accuracy(score.labels, fit.predict(model, score).argmax(axis=1))
    return {"images": count, "repeat": repeat + 1, "seed": seed, "accuracy": accuracy,
            "parameters": model.count_params()}, machine  # fmt: skip


if __name__ == "__main__":
    command.run(main)
