"""Train a head on a frozen backbone, or continue from such a network with the backbone's upper layers, too.

    python -m stages.transfer flowers17_tuned

Reads  params transfer.<key>; the backbone's or the first phase's network, data/<images>
Writes models/<key>.keras (images in, classes out), plots/history/<key>.csv, metrics/transfer/<key>.json

Layers that are not trained need to run only once: what comes out of them is kept in .state/ and trained on.
With augmentation they run in every epoch, unless `copies` of each image are made once.
"""

from pathlib import Path

from relearn import checks
from relearn.backbones import backbones, frozen
from relearn.data import arrays, places, records, seeds
from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from relearn.params.transfer import Transfer
from relearn.params.whole import Params
from relearn.process import command, states, timings
from relearn.training import compute, state
from relearn.training.train import train


def main(key: str) -> None:
    settings = checks.load()
    spec: Transfer = settings.experiment("transfer", key)
    with timings.stage(f"transfer@{key}", settings.scale):
        machine = compute.configure(settings.compute)
        view = arrays.open_whole(spec.images)
        parts = view.parts(holdout=spec.holdout)
        seed = seeds.derive(settings.seed, "transfer", key)
        model = network(spec, parts.train.image_shape[0], len(view.classes), seed)
        first = frozen.freeze(model, spec.train_from, spec.net or "")
        check_next_phase(settings, key, model)
        trainable = nets.trainable_parameters(model)
        images = len(parts.train)
        print(f"{key}: {images} images; {trainable:,} of {model.count_params():,} parameters are trained, from {first} on")
        kept = state.folder(f"transfer-{key}", model, spec, seed, machine, parts[:2], [*state.CODE, "backbones"])
        once = spec.augmentation is None or spec.copies > 0
        part, phase, splits = frozen.cut(model, first, spec, parts[:2], seed, kept, key) if once else (model, spec, parts[:2])
        curve = Path(f"plots/history/{key}.csv")
        training = train(part, phase, splits, seed, machine, f"transfer-{key}", key, kept, curve=curve)
        keras_file.save(model, Path(f"models/{key}.keras"))
        about = {"images": images, "epochs": spec.epochs, "parameters": model.count_params(),
                 "trainable_parameters": trainable, "frozen_part_runs_once": int(once)}  # fmt: skip
        records.write_json(Path(f"metrics/transfer/{key}.json"), about | training.last | machine)
        states.finish(f"transfer-{key}")


def network(spec: Transfer, side: int, n_classes: int, seed: int) -> keras.Model:
    """The first phase's network, or the backbone without its top and a fresh head of `spec.net`'s layers."""
    if spec.start is not None:
        return keras_file.load(places.model(spec.start))
    trunk = backbones.trunk(keras_file.load(places.model(f"backbones/{spec.backbone}")), side)
    return nets.with_head(trunk, spec.net or "", n_classes, seed)


def check_next_phase(settings: Params, key: str, model: keras.Model) -> None:
    """ValueError for a layer that the next phase names and `model` lacks: that should not wait for the end of this phase."""
    for phase in settings.transfer.values():
        if phase.start == key and phase.train_from is not None:
            backbones.layer_at(model, phase.train_from)


if __name__ == "__main__":
    command.run(main)
