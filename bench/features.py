"""Frozen parts: run once and kept, as our stages do, against running in every epoch, as in the chapters."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.lib import rows, trials, workplaces
from bench.lib.rows import Row
from bench.lib.trials import Way, Work
from relearn.data.arrays import Split
from relearn.params import whole
from relearn.params.training import Phase
from relearn.params.whole import Params
from relearn.training import compute

TITLES = {"head": "head on a frozen backbone (R4)", "tuned": "upper layers on a frozen lower part (Q2)"}

PREDICTED = 50  # images at once
IMAGES, SIDE = 300, 224
REPEATS = 3  # of an epoch
STEPS = 20  # after which results are compared


class Frozen(NamedTuple):
    """A network on a backbone, the first layer of it that is trained, and how."""

    whole: Any
    first: str
    spec: Phase


def measure() -> dict[str, Any]:
    """For each kind: seconds of an epoch and of the frozen part's single run, the ratio for all epochs, and differences."""
    figures: dict[str, Any] = {"images": IMAGES, "side": SIDE}
    for kind in TITLES:
        ways = {name: Way(make, (kind,)) for name, make in (("chapter", chapter), ("once", once), ("epoch", epoch))}
        seconds = trials.interleaved(ways, REPEATS, kind).seconds
        figures[kind] = extrapolated(seconds, block(kind)[0].epochs) | {"differences": trials.apart(differences, kind)}
        print(f"  {kind}: {figures[kind]['differences']}", flush=True)
    return figures


def extrapolated(seconds: Mapping[str, Sequence[float]], epochs: int) -> dict[str, Any]:
    """Wall time of `epochs` epochs: the chapter's epoch as often, against one run of the frozen part and as many short epochs."""
    theirs = [epochs * second for second in seconds["chapter"]]
    ours = [first + epochs * second for first, second in zip(seconds["once"], seconds["epoch"], strict=True)]
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    return {"epochs": epochs, "seconds": medians, "times_chapter": trials.times(ours, theirs)}


def table(figures: Mapping[str, Any]) -> list[Row]:
    lines = []
    for kind, title in TITLES.items():
        one = figures[kind]
        largest = one["differences"]
        what = f"{title}, {one['epochs']} epochs (one measured, {figures['images']} images of {figures['side']} pixels)"
        against = "the frozen part runs in every epoch, in float32 (ours in the precision above)"
        lines.append(Row(what, against, rows.times(one["times_chapter"])))
        figure = (
            f"{largest['float32']:.1e} with float32 features, {largest['float16']:.1e} with float16 ones; "
            f"training itself changed one by {largest['training']:.2f}"
        )
        what = f"largest difference of a probability after {largest['steps']} steps"
        lines.append(Row(what, "the frozen part inside", figure))
    return lines


def block(kind: str) -> tuple[Phase, str, str | int | None]:
    """How R4's head, or Q's second phase, is trained at scale book; the net of the head, and the first layer trained if named."""
    path = workplaces.ROOT / ("params.yaml" if kind == "head" else "photos/params.yaml")
    params = whole.with_recipes(Params.model_validate(whole.resolved(whole.read(path), "book")))
    if kind == "head":
        head = params.train["head_adam"]
        return head, params.nets[head.net], None
    tuned = params.transfer["cats_vs_dogs_tuned"]
    net = params.transfer["cats_vs_dogs_head"].net or ""
    return tuned, net.removesuffix(" sigmoid"), tuned.train_from  # which tells two classes apart; here are CIFAR-10's ten


def frozen_part(kind: str) -> Frozen:
    """The whole network with its lower part frozen."""
    from relearn.backbones import backbones, frozen
    from relearn.networks import keras_file, nets

    spec, net, train_from = block(kind)
    trunk = backbones.trunk(keras_file.load(workplaces.LITE0), SIDE)
    model = nets.with_head(trunk, net, 10, workplaces.settings().seed)
    return Frozen(model, frozen.freeze(model, train_from, net), spec)


def pictures() -> Split:
    """Images of CIFAR-10 scaled to the backbone's side, in memory: neither way has to scale them."""
    from relearn.networks.engine import tf

    split = workplaces.cifar10(IMAGES)
    scaled = np.asarray(tf.cast(tf.round(tf.image.resize(split.images, (SIDE, SIDE))), tf.uint8))
    return Split(scaled, split.rows, split.labels, split.fine_labels)


def chapter(kind: str) -> Work:
    """An epoch of the whole network, float32, labels one-hot."""
    from bench.lib import chapters
    from relearn.networks.engine import keras

    model, _, spec = frozen_part(kind)
    split = pictures()
    chapters.compiled(model, spec.optimizer.name, spec.optimizer.learning_rate, spec.optimizer.momentum)
    labels = keras.utils.to_categorical(split.labels, 10)
    chapters.fit(model, split.images[: 2 * spec.batch], labels[: 2 * spec.batch], spec.batch)
    return lambda: chapters.fit(model, split.images, labels, spec.batch)


def once(kind: str) -> Work:
    """The frozen part run once, its output (float16) written to a file."""
    from relearn.backbones import backbones, frozen

    compute.configure(workplaces.settings().compute)
    model, first, _ = frozen_part(kind)
    lower, _ = backbones.split(model, first)
    split = pictures()

    def work(part: Split = split) -> None:
        with tempfile.TemporaryDirectory() as folder:
            frozen.run_once(lower, part, None, 1, 0, Path(folder) / "features.npy", kind)

    work(split.part(slice(frozen.BLOCK)))
    return work


def epoch(kind: str) -> Work:
    """An epoch of the part above on kept features."""
    from bench.lib import ours
    from relearn.backbones import backbones, frozen

    compute.configure(workplaces.settings().compute)
    model, first, spec = frozen_part(kind)
    lower, upper = backbones.split(model, first)
    with tempfile.TemporaryDirectory() as folder:  # the file stays readable as long as it is mapped
        kept = frozen.run_once(lower, pictures(), None, 1, 0, Path(folder) / "features.npy", kind)
    return ours.epoch(upper, spec, kept)


def differences(kind: str) -> dict[str, float]:
    """Largest difference of any probability after the same steps, all in float32: features kept against the whole network.

    training: the largest change that the steps made, for comparison.
    """
    from relearn.backbones import backbones
    from relearn.networks import nets

    compute.configure_float32(workplaces.settings().compute)
    model, first, spec = frozen_part(kind)
    lower, upper = backbones.split(model, first)
    split = pictures()
    features = np.concatenate([lower.predict_on_batch(split.images[at : at + 100]) for at in range(0, len(split), 100)])
    start, untrained = model.get_weights(), np.asarray(model.predict(split.images, batch_size=PREDICTED, verbose=0))

    def after(trained: Any, inputs: np.ndarray) -> np.ndarray:
        model.set_weights(start)
        nets.compile_for(trained, spec, len(split))
        for step in range(STEPS):
            places = np.arange(step * spec.batch, (step + 1) * spec.batch) % len(split)
            trained.train_on_batch(inputs[places], split.labels[places])
        return np.asarray(trained.predict(inputs, batch_size=PREDICTED, verbose=0))

    inside = after(model, split.images)
    kept: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "float32": lambda values: values,
        "float16": lambda values: values.astype("float16").astype("float32"),
    }
    largest = {name: float(np.abs(after(upper, keep(features)) - inside).max()) for name, keep in kept.items()}
    return largest | {"training": float(np.abs(inside - untrained).max()), "steps": STEPS}
