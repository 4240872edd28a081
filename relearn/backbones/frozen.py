"""The part of a network that is not trained: which layers, and what comes out of them, run once or in every epoch."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from relearn.backbones import backbones
from relearn.data import arrays, seeds
from relearn.data.arrays import Split
from relearn.networks import nets, shorthand
from relearn.networks.engine import keras, tf
from relearn.params.training import Augmentation, Phase
from relearn.params.transfer import Transfer
from relearn.process import atomic
from relearn.process.progress import Progress
from relearn.training import fit

BLOCK = 100
OF_HEAD = re.compile(r"(norm|centring)_\d+")  # as relearn/networks/shorthand.py names them


def freeze(model: keras.Model, train_from: str | int | None, net: str) -> str:
    """Lets only the layers from `train_from` on be trained, without it the head `net`; gives the first one's name.

    The backbone's batch normalizations stay as they are, statistics and scale: a few hundred photographs would spoil them.
    ValueError naming the layers when there is none of that name or index.
    """
    if train_from is None:
        heads = [layer.name for layer in shorthand.parse(net) if layer.kind in shorthand.WITH_WEIGHTS] if net else []
        train_from = [*heads, nets.HEAD][0]
    first = backbones.layer_at(model, train_from)
    names = [layer.name for layer in model.layers]
    for place, layer in enumerate(model.layers):
        backbones_norm = isinstance(layer, keras.layers.BatchNormalization) and not OF_HEAD.fullmatch(layer.name)
        layer.trainable = place >= names.index(first) and not backbones_norm
    return first


def cut(
    model: keras.Model, first: str, spec: Transfer, splits: Sequence[Split], seed: int, kept: Path, key: str
) -> tuple[keras.Model, Phase, list[Split]]:
    """The part of `model` from layer `first` on, how it is trained, and its splits: what the frozen part below gives.

    The frozen part runs once; its output is in the folder `kept`. Augmentation is in the copies that were made of the
    training images, and no more in the phase.
    """
    lower, upper = backbones.split(model, first)
    train, holdout = splits
    train = run_once(lower, train, spec.augmentation, max(spec.copies, 1), seed, kept / "train.npy", f"{key} train")
    holdout = run_once(lower, holdout, None, 1, seed, kept / "holdout.npy", f"{key} holdout")
    return upper, spec.model_copy(update={"augmentation": None}), [train, holdout]


def run_once(
    lower: keras.Model, part: Split, changes: Augmentation | None, copies: int, seed: int, path: Path, label: str
) -> Split:
    """The split of `lower`'s output for each image (float16), kept in `path`; with `changes`, for `copies` changed versions.

    The file of an earlier, interrupted run is taken up. FloatingPointError when a number is beyond float16.
    """
    if not path.is_file():
        random = keras.Sequential(nets.augmentation(changes)) if changes else None
        shape = (copies * len(part), *lower.output_shape[1:])
        with atomic.replacing(path) as partial:
            arrays.write_blocks(partial, shape, _blocks(lower, part, random, copies, seed, label), "float16")
    features = arrays.read(path)
    labels, fine = np.tile(part.labels, copies), np.tile(part.fine_labels, copies)
    return Split(features, np.arange(len(features)), labels, fine, copies=copies)


def _blocks(
    lower: keras.Model, part: Split, random: keras.Model | None, copies: int, seed: int, label: str
) -> Iterator[np.ndarray]:
    starts = [(copy, start) for copy in range(copies) for start in range(0, len(part), BLOCK)]
    for copy, start in Progress(starts, desc=f"{label}, frozen part", unit="block"):
        images = part.batch(slice(start, start + BLOCK))
        if random is not None:
            fit.reset_random_layers(random, seeds.derive(seed, "copy", copy), start)
            images = tf.cast(random(images, training=True) + nets.HALF, tf.uint8)
        with np.errstate(over="ignore"):  # an error below
            features = lower.predict_on_batch(np.asarray(images)).astype(np.float16)
        if not np.isfinite(features).all():
            raise FloatingPointError(
                f"{label}: the frozen part gives numbers beyond float16, {features.dtype}'s largest is 65,504"
            )
        yield features
