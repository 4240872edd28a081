"""Frozen parts: run once and kept, as our stages do, against running in every epoch, as in the chapters."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.lib import rows, trials, workplaces
from bench.lib.rows import Row
from bench.lib.trials import Way, Work
from bench.lib.workplaces import ROOT
from relearn import checks
from relearn.data.arrays import Split
from relearn.params.training import Phase
from relearn.training import compute

TITLES = {"head": "head on a frozen backbone (R4)", "tuned": "upper layers on a frozen lower part (Q2)"}

PREDICTED = 50  # images at once


@dataclass(frozen=True)
class Size:
    """Images and their side, repeats of one epoch each; steps after which results are compared."""

    images: int
    side: int
    repeats: int
    steps: int


FULL = Size(300, 224, 3, 20)


class Frozen(NamedTuple):
    """A network on a backbone, of which the layers below `first` are not trained; how the rest is."""

    whole: Any
    first: str
    spec: Phase


def measure(size: Size = FULL) -> dict[str, Any]:
    """For each kind: seconds of an epoch and of the frozen part's single run, the ratio for all epochs, and differences."""
    found: dict[str, Any] = {"images": size.images, "side": size.side}
    for kind in TITLES:
        ways = {name: Way(make, (kind, size)) for name, make in (("chapter", chapter), ("once", once), ("epoch", epoch))}
        seconds = trials.interleaved(ways, size.repeats, kind).seconds
        found[kind] = extrapolated(seconds, spec_of(kind).epochs) | {"differences": trials.apart(differences, kind, size)}
        print(f"  {kind}: {found[kind]['differences']}", flush=True)
    return found


def extrapolated(seconds: Mapping[str, Sequence[float]], epochs: int) -> dict[str, Any]:
    """Wall time of `epochs` epochs: the chapter's epoch as often, against one run of the frozen part and as many short epochs."""
    theirs = [epochs * second for second in seconds["chapter"]]
    ours = [first + epochs * second for first, second in zip(seconds["once"], seconds["epoch"], strict=True)]
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    return {"epochs": epochs, "seconds": medians, "times_chapter": trials.times(ours, theirs)}


def table(found: Mapping[str, Any]) -> list[Row]:
    made = []
    for kind, title in TITLES.items():
        one = found[kind]
        apart = one["differences"]
        what = f"{title}, {one['epochs']} epochs (one measured, {found['images']} images of {found['side']} pixels)"
        made.append(
            Row(
                what,
                "the frozen part runs in every epoch, in float32 (ours in the precision above)",
                rows.times(one["times_chapter"]),
            )
        )
        figure = (
            f"{apart['float32']:.1e} with float32 features, {apart['float16']:.1e} with float16 ones; "
            f"training itself changed one by {apart['training']:.2f}"
        )
        made.append(Row(f"largest difference of a probability after {apart['steps']} steps", "the frozen part inside", figure))
    return made


def spec_of(kind: str) -> Any:
    """R4's training, or the second phase of Q, at scale book."""
    path, dictionary, key = {
        "head": ("params.yaml", "train", "head_adam"),
        "tuned": ("photos/params.yaml", "transfer", "cats_vs_dogs_tuned"),
    }[kind]
    with workplaces.made(lambda settings: settings.update(scale="book"), path) as folder:
        return checks.load(folder / "params.yaml").experiment(dictionary, key)


def frozen_part(kind: str, size: Size) -> Frozen:
    """The whole network with its lower part frozen."""
    from relearn.backbones import backbones, frozen
    from relearn.networks import keras_file, nets

    settings = checks.load(ROOT / "params.yaml")
    spec = spec_of(kind)
    trunk = backbones.trunk(keras_file.load(ROOT / "models/backbones/lite0.keras"), size.side)
    net = settings.nets[spec.net] if kind == "head" else "GAP F1024"
    whole = nets.with_head(trunk, net, 10, settings.seed)
    return Frozen(whole, frozen.freeze(whole, spec.train_from if kind == "tuned" else None, net), spec)


def pictures(size: Size) -> Split:
    """Images of CIFAR-10 scaled to the backbone's side, in memory: neither way has to scale them."""
    from relearn.networks.engine import tf

    split = workplaces.cifar10(size.images)
    scaled = np.asarray(tf.cast(tf.round(tf.image.resize(split.images, (size.side, size.side))), tf.uint8))
    return Split(scaled, split.rows, split.labels, split.fine_labels)


def configured(precision: str | None = None) -> None:
    settings = checks.load(ROOT / "params.yaml").compute
    compute.configure(settings.model_copy(update={"precision": precision}) if precision else settings)


def chapter(kind: str, size: Size) -> Work:
    """An epoch of the whole network, float32, labels one-hot."""
    from bench.lib import chapters
    from relearn.networks.engine import keras

    whole, _, spec = frozen_part(kind, size)
    split = pictures(size)
    made = spec.optimizer
    model = chapters.compiled(whole, made.name, made.learning_rate, made.momentum)
    labels = keras.utils.to_categorical(split.labels, 10)
    chapters.fit(model, split.images[: 2 * spec.batch], labels[: 2 * spec.batch], spec.batch)
    return lambda: chapters.fit(model, split.images, labels, spec.batch)


def once(kind: str, size: Size) -> Work:
    """The frozen part run once, its output (float16) written to a file."""
    from relearn.backbones import backbones, frozen

    configured()
    whole, first, _ = frozen_part(kind, size)
    lower, _ = backbones.split(whole, first)
    split = pictures(size)

    def work(part: Split = split) -> None:
        with tempfile.TemporaryDirectory() as folder:
            frozen.run_once(lower, part, None, 1, 0, Path(folder) / "features.npy", kind)

    work(split.part(slice(frozen.BLOCK)))
    return work


def epoch(kind: str, size: Size) -> Work:
    """An epoch of the part above on kept features."""
    from relearn.backbones import backbones, frozen
    from relearn.networks import nets
    from relearn.training import fit

    configured()
    whole, first, spec = frozen_part(kind, size)
    lower, upper = backbones.split(whole, first)
    folder = tempfile.TemporaryDirectory()
    kept = frozen.run_once(lower, pictures(size), None, 1, 0, Path(folder.name) / "features.npy", kind)
    trained = nets.trainer(upper, spec, len(kept))
    one = spec.model_copy(update={"epochs": 1, "tensorboard": False})

    def work(part: Split = kept) -> None:
        with tempfile.TemporaryDirectory(dir=folder.name) as state:
            fit.run(trained, part, part.part(slice(0)), one, 0, Path(state), kind)

    work(kept.part(slice(2 * spec.batch)))
    return work


def differences(kind: str, size: Size) -> dict[str, float]:
    """Largest difference of any probability after the same steps, all in float32: features kept against the whole network.

    training: the largest change that the steps made, for comparison.
    """
    from relearn.backbones import backbones
    from relearn.networks import nets

    configured("float32")
    whole, first, spec = frozen_part(kind, size)
    lower, upper = backbones.split(whole, first)
    split = pictures(size)
    features = np.concatenate([lower.predict_on_batch(split.images[at : at + 100]) for at in range(0, len(split), 100)])
    start, untrained = whole.get_weights(), np.asarray(whole.predict(split.images, batch_size=PREDICTED, verbose=0))

    def after(model: Any, inputs: np.ndarray) -> np.ndarray:
        whole.set_weights(start)
        nets.compile_for(model, spec, len(split))
        for step in range(size.steps):
            places = np.arange(step * spec.batch, (step + 1) * spec.batch) % len(split)
            model.train_on_batch(inputs[places], split.labels[places])
        return np.asarray(model.predict(inputs, batch_size=PREDICTED, verbose=0))

    inside = after(whole, split.images)
    kept: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "float32": lambda values: values,
        "float16": lambda values: values.astype("float16").astype("float32"),
    }
    found = {name: float(np.abs(after(upper, keep(features)) - inside).max()) for name, keep in kept.items()}
    return found | {"training": float(np.abs(inside - untrained).max()), "steps": size.steps}
