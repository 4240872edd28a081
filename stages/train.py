"""Train one network on one relabelled data set.

    python -m stages.train shallow_adadelta

Reads  params train.<key>, nets.<net>; data/<images>, data/views/<labels>
Writes models/<key>.keras, plots/history/<key>.csv, metrics/train/<key>.json
"""

from pathlib import Path

from relearn import checks
from relearn.data import arrays, records, seeds
from relearn.networks import keras_file, nets
from relearn.params.training import Fit
from relearn.process import command, states, timings
from relearn.training import compute
from relearn.training.train import train


def main(key: str) -> None:
    settings = checks.load()
    spec: Fit = settings.experiment("train", key)
    with timings.stage(f"train@{key}", settings.scale):
        machine = compute.configure(settings.compute)
        scope, replicas = compute.scope(settings.compute)
        view = arrays.open_view(spec.images, spec.labels)
        parts = view.parts(spec.validation, spec.holdout)
        compute.split_evenly(len(parts.train), spec.batch, replicas.get("replicas", 1))
        seed = seeds.derive(settings.seed, "train", key)
        with scope:
            model = nets.for_data(settings.nets[spec.net], spec, parts.train, len(view.classes), seed)
            print(nets.summary(model))
            print(f"{key}: {len(parts.train)} images, {machine | replicas}", flush=True)
            training = train(model, spec, parts[:2], seed, machine | replicas, f"train-{key}", key,
                             curve=Path(f"plots/history/{key}.csv"))  # fmt: skip
        keras_file.save(model, Path(f"models/{key}.keras"))
        petaflop = nets.TRAINING * nets.operations(model) * len(parts.train) * spec.epochs / 1e15
        about = {"images": len(parts.train), "epochs": spec.epochs, "parameters": model.count_params(), "petaflop": petaflop}
        records.write_json(Path(f"metrics/train/{key}.json"), about | training.last | machine | replicas)
        states.finish(f"train-{key}")


if __name__ == "__main__":
    command.run(main)
