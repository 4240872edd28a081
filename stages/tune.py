"""Search a grid of heads on a cached embedding: each trained, the best on the holdout scored on the test images, once.

    python -m stages.tune head_grid

Reads  params tune.<key>; data/<images>, data/views/<labels>
Writes metrics/tune/<key>.json, plots/tune/<key>.csv (each combination), models/<key>.keras (the best)
"""

from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from relearn import checks
from relearn.data import arrays, records, seeds
from relearn.params.training import Fit, Tune
from relearn.params.whole import Params
from relearn.process import command, states, timings
from relearn.scoring import scores
from relearn.training import compute

if TYPE_CHECKING:
    from relearn.networks.engine import keras
    from relearn.training.train import Training


def main(key: str) -> None:
    settings = checks.load()
    spec: Tune = settings.experiment("tune", key)
    with timings.stage(f"tune@{key}", settings.scale):
        values = spec.grid.model_dump()
        grid = [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]
        rows = compute.fan_out(settings.compute, partial(train_one, settings, key), enumerate(grid), f"tune@{key}")
        table = pd.DataFrame(rows)
        best = int(table["holdout_accuracy"].argmax())
        machine = compute.configure(settings.compute, threads=1)  # as the workers, whatever their number
        model, _ = trained(settings, key, best, grid[best], machine)
        from relearn.networks import keras_file  # TensorFlow, for the best only
        from relearn.training import fit

        view = arrays.open_view(spec.images, spec.labels)
        score = view.parts(holdout=spec.holdout).score
        probabilities = fit.predict(model, score)
        keras_file.save(model, Path(f"models/{key}.keras"))
        metrics: dict[str, Any] = scores.multiclass(score.labels, probabilities, view.classes)
        metrics |= {**grid[best], "runs": len(grid), "holdout_accuracy": rows[best]["holdout_accuracy"]}
        records.write_json(Path(f"metrics/tune/{key}.json"), metrics | machine)
        records.write_csv(Path(f"plots/tune/{key}.csv"), table)
        states.finish(f"tune-{key}")
    chosen = ", ".join(f"{name} {value}" for name, value in grid[best].items())
    print(f"{key}: best of {len(grid)} is {chosen}; accuracy {metrics['accuracy']:.4f} on {len(score)} test images")


def train_one(settings: Params, key: str, place: int, choice: dict[str, float]) -> dict[str, float]:
    """What one combination reaches on the holdout after its last epoch."""
    machine = compute.configure(settings.compute, threads=1)
    last = trained(settings, key, place, choice, machine)[1].last
    row = {name: last[name] for name in ("loss", "accuracy")}
    return choice | row | {"holdout_loss": last["val_loss"], "holdout_accuracy": last["val_accuracy"]}


def trained(
    settings: Params, key: str, place: int, choice: dict[str, float], machine: dict[str, str | int]
) -> tuple["keras.Model", "Training"]:
    """The head of one combination and its training; one that was trained before is loaded from its state."""
    from relearn.networks import nets  # TensorFlow, which only the workers need
    from relearn.training.train import train

    spec: Tune = settings.experiment("tune", key)
    phase = Fit(images=spec.images, labels=spec.labels, net=key, optimizer=spec.optimizer, epochs=spec.epochs,
                batch=int(choice["batch"]))  # fmt: skip
    view = arrays.open_view(spec.images, spec.labels)
    splits = view.parts(holdout=spec.holdout)[:2]
    seed = seeds.derive(settings.seed, "tune", key, place)
    net = spec.net.format(**choice)
    model = nets.for_data(net, phase, splits[0], len(view.classes), seed)
    label = f"{key} {net}, batch {phase.batch}"
    return model, train(model, phase, splits, seed, machine, f"tune-{key}-{place}", label)


if __name__ == "__main__":
    command.run(main)
