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

from stages.lib import arrays, command, compute, params, records, scores, seeds, state, timings

if TYPE_CHECKING:
    from stages.lib.engine import keras


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("tune", key)
    with timings.stage(f"tune@{key}", settings.scale):
        values = spec.grid.model_dump()
        grid = [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]
        rows = compute.fan_out(settings.compute, partial(train_one, settings, key), enumerate(grid), f"tune@{key}")
        table = pd.DataFrame(rows)
        best = int(table["holdout_accuracy"].argmax())
        machine = compute.configure(settings.compute, threads=1)  # as the workers, whatever their number
        model, _ = trained(settings, key, best, grid[best], machine)
        from stages.lib import fit, keras_file  # TensorFlow, for the best only

        view = arrays.open_view(spec.images, spec.labels)
        score = view.parts(holdout=spec.holdout).score
        probabilities = fit.predict(model, score)
        keras_file.save(model, Path(f"models/{key}.keras"))
        found: dict[str, Any] = scores.multiclass(score.labels, probabilities, view.classes)
        found |= {**grid[best], "runs": len(grid), "holdout_accuracy": rows[best]["holdout_accuracy"]}
        records.write_json(Path(f"metrics/tune/{key}.json"), found | machine)
        records.write_csv(Path(f"plots/tune/{key}.csv"), table)
        for place in range(len(grid)):
            state.finish_all(f"tune-{key}-{place}")
    chosen = ", ".join(f"{name} {value}" for name, value in grid[best].items())
    print(f"{key}: best of {len(grid)} is {chosen}; accuracy {found['accuracy']:.4f} on {len(score)} test images")


def train_one(settings: params.Params, key: str, place: int, choice: dict[str, float]) -> dict[str, float]:
    """What one combination reaches on the holdout after its last epoch."""
    machine = compute.configure(settings.compute, threads=1)
    _, history = trained(settings, key, place, choice, machine)
    last = history.iloc[-1]
    row = {name: float(last[name]) for name in ("loss", "accuracy")}
    row |= {"holdout_loss": float(last["val_loss"]), "holdout_accuracy": float(last["val_accuracy"])}
    return choice | row


def trained(
    settings: params.Params, key: str, place: int, choice: dict[str, float], machine: dict[str, str | int]
) -> tuple["keras.Model", pd.DataFrame]:
    """The head of one combination and its history; what was trained before is taken up from its state."""
    from stages.lib import fit, nets  # TensorFlow, which only the workers need

    spec = settings.experiment("tune", key)
    fields = {"images": spec.images, "labels": spec.labels, "net": key, "optimizer": spec.optimizer, "epochs": spec.epochs}
    phase = params.Fit(**fields, batch=int(choice["batch"]))
    view = arrays.open_view(spec.images, spec.labels)
    train, holdout, _ = view.parts(holdout=spec.holdout)
    seed = seeds.derive(settings.seed, "tune", key, place)
    net = spec.net.format(**choice)
    model = nets.build(net, train.image_shape, len(view.classes), seed, nets.front(phase, train))
    nets.compile_for(model, phase, len(train))
    kept = state.folder(f"tune-{key}-{place}", phase.model_dump(), net, seed, machine, splits=[train, holdout])
    return model, fit.run(model, train, holdout, phase, seed, kept, f"{key} {net}, batch {phase.batch}")


if __name__ == "__main__":
    command.run(main)
