"""Train a head on a frozen backbone, or go on from such a network with the backbone's upper layers, too.

    python -m stages.transfer flowers17_tuned

Reads  params transfer.<key>; <start>, data/<images>
Writes models/<key>.keras (images in, classes out), plots/history/<key>.csv, metrics/transfer/<key>.json

Layers that are not trained need to run only once: what comes out of them is kept in .state/ and trained on.
With augmentation they run in every epoch, unless `copies` of each image are made once.
"""

import math
from pathlib import Path

from stages.lib import arrays, backbones, command, compute, fit, frozen, keras_file, nets, params, records, seeds, state, timings
from stages.lib.engine import keras


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("transfer", key)
    with timings.stage(f"transfer@{key}", settings.scale):
        machine = compute.configure(settings.compute)
        view = arrays.open_whole(spec.images)
        train, holdout, _ = view.parts(holdout=spec.holdout)
        seed = seeds.derive(settings.seed, "transfer", key)
        net = spec.net or ""
        model = network(spec, net, train.image_shape[0], len(view.classes), seed)
        first = frozen.freeze(model, spec.train_from, net)
        for phase in settings.transfer.values():  # a mistake there should not wait for the end of this phase
            if phase.start == f"models/{key}.keras" and phase.train_from is not None:
                backbones.layer_at(model, phase.train_from)
        trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        print(f"{key}: {len(train)} images; {trainable:,} of {model.count_params():,} parameters are trained, from {first} on")
        ingredients = [spec.model_dump(), net, seed, machine]
        kept = state.folder(f"transfer-{key}", *ingredients, splits=[train, holdout], weights=model.get_weights())
        cached = spec.augmentation is None or spec.copies > 0
        part = model
        if cached:
            lower, part = backbones.split(model, first)
            copies = max(spec.copies, 1)
            train = frozen.run_once(lower, train, spec.augmentation, copies, seed, kept / "train.npy", f"{key} train")
            holdout = frozen.run_once(lower, holdout, None, 1, seed, kept / "holdout.npy", f"{key} holdout")
        phase = spec.model_copy(update={"augmentation": None}) if cached else spec
        trained = nets.trainer(part, phase, len(train) // train.copies)
        history = fit.run(trained, train, holdout, phase, seed, kept, key)
        keras_file.save(model, Path(f"models/{key}.keras"))
        records.write_csv(Path(f"plots/history/{key}.csv"), history)
        last = {str(name): float(value) for name, value in history.iloc[-1].items() if name != "epoch"}
        about = {"images": len(train) // train.copies, "epochs": spec.epochs, "parameters": model.count_params(),
                 "trainable_parameters": trainable, "frozen_part_runs_once": int(cached)}  # fmt: skip
        records.write_json(Path(f"metrics/transfer/{key}.json"), about | last | machine)
        state.finish(kept)


def network(spec: params.Transfer, net: str, side: int, n_classes: int, seed: int) -> keras.Model:
    """The model to go on from, or the backbone without its top and a fresh head of `net`'s layers."""
    model = keras_file.load(Path(spec.start))
    if not net:
        return model
    trunk = backbones.trunk(model, side)
    return nets.with_head(trunk, net, n_classes, seed)


if __name__ == "__main__":
    command.run(main)
