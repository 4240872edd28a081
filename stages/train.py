"""Train one network on one relabelled data set.

    python -m stages.train shallow_adadelta

Reads  params train.<key>, nets.<net>; data/<images>, data/views/<labels>
Writes models/<key>.keras, plots/history/<key>.csv, metrics/train/<key>.json
"""

from pathlib import Path

from stages.lib import arrays, command, compute, fit, keras_file, nets, params, records, seeds, state, timings


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("train", key)
    with timings.stage(f"train@{key}", settings.scale):
        machine = compute.configure(settings.compute)
        scope, spread = compute.scope(settings.compute)
        view = arrays.open_view(spec.images, spec.labels)
        parts = view.parts(spec.validation, spec.holdout)
        compute.split_evenly(len(parts.train) // parts.train.copies, spec.batch, spread.get("replicas", 1))
        machine |= spread
        seed = seeds.derive(settings.seed, "train", key)
        net = settings.nets[spec.net]
        with scope:
            model = nets.build(net, view.train.image_shape, len(view.classes), seed, nets.front(spec, parts.train))
            trained = nets.trainer(model, spec, len(parts.train))
            print(nets.summary(model))
            print(f"{key}: {len(parts.train)} images, {machine}", flush=True)
            kept = state.folder(f"train-{key}", spec.model_dump(), net, seed, machine, splits=parts[:2])
            history = fit.run(trained, parts.train, parts.validation, spec, seed, kept, key)
        keras_file.save(model, Path(f"models/{key}.keras"))
        records.write_csv(Path(f"plots/history/{key}.csv"), history)
        last = {str(name): float(value) for name, value in history.iloc[-1].items() if name != "epoch"}
        petaflop = nets.TRAINING * nets.operations(model) * len(parts.train) * spec.epochs / 1e15
        about = {"images": len(parts.train), "epochs": spec.epochs, "parameters": model.count_params(), "petaflop": petaflop}
        records.write_json(Path(f"metrics/train/{key}.json"), about | last | machine)
        state.finish(kept)


if __name__ == "__main__":
    command.run(main)
