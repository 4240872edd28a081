"""Training that gives the same bytes every time, also when it was killed and went on.

Every epoch starts from a known state: the order of the images and the seed of each random layer come
from (seed, layer, epoch). So an epoch's end, with weights and optimizer, is all there is to keep. It goes
into one file, replaced as a whole; Keras' BackupAndRestore would keep neither seeds nor history.
"""

import json
import math
import multiprocessing
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relearn.data import records, seeds
from relearn.data.arrays import Split
from relearn.networks.engine import keras, tf
from relearn.params.training import Augmentation, Phase
from relearn.process import atomic
from relearn.process.progress import Progress
from relearn.training import crops

EVALUATION_BATCH = 500
LARGE_SIDE, LARGE_BATCH = 64, 50  # of images above that many pixels so many at once: maps of features are large
LOGS = Path("logs")
SMALLEST = 1e-7  # of a probability in the loss, as Keras has it
SMALLEST_NORMAL = np.finfo(np.float32).tiny


class Batches:
    """Yields batches in an order fixed by (seed, epoch). With copies, each epoch uses one of them.

    Applies the batch-level augmentations among `changes`; the layer-level ones are part of the network (`nets.trainer`).
    """

    def __init__(self, split: Split, batch: int, seed: int, label: str = "", changes: Augmentation | None = None) -> None:
        self.split, self.batch, self.seed, self.label = split, batch, seed, label
        self.changes = changes if changes and changes.of_batches else None
        self.images = len(split) // split.copies
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draws the order of `epoch`, counted from 0."""
        self.title = f"{self.label} epoch {epoch + 1}"
        order = seeds.generator(self.seed, "order", epoch).permutation(self.images)
        self.order = order + self.images * (epoch % self.split.copies)
        self.draws = crops.draw(self.changes, self.images, self.seed, epoch) if self.changes else None

    def __len__(self) -> int:
        return math.ceil(self.images / self.batch)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        alone = multiprocessing.current_process().name == "MainProcess"  # bars of several workers would mix
        starts = range(0, self.images, self.batch)
        for start in Progress(starts, desc=self.title, unit="batch", leave=False, disable=not alone):
            places = self.order[start : start + self.batch]
            images = self.split.batch(places)
            yield crops.apply(images, self.draws.at(places)) if self.draws else images, self.split.labels[places]

    def dataset(self) -> tf.data.Dataset:
        """The epoch's batches for `fit`, one prepared ahead.

        Without tf.data's autotuning, whose thread sleeps 10, 20, 40, ... ms and is waited for at an epoch's end:
        with it an epoch of 3 s takes 5.1 s (so it does when Keras is given a PyDataset).
        """
        signature = (
            tf.TensorSpec((None, *self.split.image_shape), tf.as_dtype(self.split.dtype)),
            tf.TensorSpec((None,), tf.as_dtype(self.split.labels.dtype)),
        )
        options = tf.data.Options()
        options.autotune.enabled = False
        stream = tf.data.Dataset.from_generator(lambda: iter(self), output_signature=signature)
        return stream.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(1).with_options(options)


def run(
    model: keras.Model,
    train: Split,
    validation: Split,
    spec: Phase,
    seed: int,
    state: Path,
    label: str,
    curve: Path | None = None,
) -> pd.DataFrame:
    """Trains a compiled `model` for `spec.epochs`, resuming from `state` where an earlier run was interrupted.

    validation: shown per epoch and used for nothing; may be empty.
    Returns the history of all epochs: epoch (from 1), loss, accuracy and, with validation, val_loss,
    val_accuracy, val_error. It is in the CSV file `curve` after each epoch, so that views of it grow; with
    `spec.tensorboard` in logs/<label>, too. Raises FloatingPointError when the
    loss is no longer a number.
    """
    batches = Batches(train, spec.batch, seed, label, spec.augmentation)
    history = _restore(model, state)
    if history:
        print(f"{label}: resumed after epoch {len(history)} of {spec.epochs}", flush=True)
    started, first = time.perf_counter(), len(history)
    for epoch in range(first, spec.epochs):
        batches.start_epoch(epoch)
        reset_random_layers(model, seed, epoch)
        logs = model.fit(
            batches.dataset(), epochs=epoch + 1, initial_epoch=epoch, shuffle=False, verbose=0,
            callbacks=[keras.callbacks.TerminateOnNaN()],
        ).history  # fmt: skip
        row = {"epoch": epoch + 1, **{name: values[-1] for name, values in logs.items()}}
        if not math.isfinite(row["loss"]):
            raise FloatingPointError(f"{label}: the loss is {row['loss']} in epoch {epoch + 1}; "
                                     "a smaller optimizer.learning_rate may help")  # fmt: skip
        row |= validate(model, validation)
        history.append(row)
        _keep(model, history, state)
        _show(history, curve)
        if spec.tensorboard:
            _log(history, LOGS / label.replace(" ", "_"))
        print(_line(label, row, spec.epochs, (time.perf_counter() - started) / (epoch + 1 - first)), flush=True)
    _show(history, curve)
    return pd.DataFrame(history)


def _show(history: list[dict[str, float]], curve: Path | None) -> None:
    """Writes the curve so far, as a whole."""
    if curve:
        with atomic.replacing(curve) as partial:
            records.write_csv(partial, pd.DataFrame(history))


def _log(history: list[dict[str, float]], folder: Path) -> None:
    """Writes TensorBoard's events of all epochs, in place of those of an earlier run."""
    shutil.rmtree(folder, ignore_errors=True)
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for row in history:
            for name in row.keys() - {"epoch"}:
                tf.summary.scalar(name, row[name], step=int(row["epoch"]))
    writer.close()


def reset_random_layers(model: keras.Model, seed: int, epoch: int) -> None:
    """Gives every random layer (dropout, augmentation) the state that belongs to (seed, layer, epoch)."""
    states = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
    for place, variable in enumerate(states):  # by place: Keras numbers the names over all networks of a process
        variable.assign(np.array([seeds.derive(seed, "layer", place, epoch, word) for word in range(2)], "uint32"))


def validate(model: keras.Model, split: Split) -> dict[str, float]:
    """val_loss (cross-entropy), val_accuracy and val_error on `split`; nothing when it is empty."""
    if len(split) == 0:
        return {}
    probabilities = predict(model, split)
    right = float(np.mean(probabilities.argmax(axis=1) == split.labels))
    loss = float(-np.log(np.clip(probabilities[np.arange(len(split)), split.labels], SMALLEST, 1)).mean())
    return {"val_loss": loss, "val_accuracy": right, "val_error": 1 - right}


def predict(model: keras.Model, split: Split, views: str | None = None) -> np.ndarray:
    """Probabilities of the classes for each image of `split`, in its order: float32, (N, classes).

    views: of `crops.VIEWS`; what is given is the weighted geometric mean over the views, made to add up to one: the
    softmax of the mean of the logits.
    """
    sides = [model.input_shape[1], *(layer.height for layer in model.layers if isinstance(layer, keras.layers.Resizing))]
    batch = LARGE_BATCH if max(sides) > LARGE_SIDE and len(model.input_shape) == 4 else EVALUATION_BATCH
    blocks = range(0, len(split), batch)
    images = (split.batch(slice(at, at + batch)) for at in blocks)
    return np.concatenate([_predict_views(model, block, views) for block in images])


def _predict_views(model: keras.Model, images: np.ndarray, views: str | None) -> np.ndarray:
    if views is None:
        outputs = np.asarray(model.predict_on_batch(images)[: len(images)])  # each replica gives all of them
        return np.concatenate([1 - outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs  # of a sigmoid unit
    logs = sum(weight * np.log(np.maximum(_predict_views(model, changed, None), SMALLEST_NORMAL))
               for changed, weight in crops.views(images, views))  # fmt: skip
    means = np.exp(logs)
    return np.asarray(means / means.sum(axis=1, keepdims=True))


def _variables(model: keras.Model) -> list[Any]:
    model.optimizer.build(model.trainable_variables)
    return [*model.weights, *model.optimizer.variables]


def _keep(model: keras.Model, history: list[dict[str, float]], state: Path) -> None:
    """Writes weights, optimizer and history to one file that is either the old one or the new one."""
    values = {f"variable_{place}": np.asarray(variable) for place, variable in enumerate(_variables(model))}
    with atomic.replacing(state / "epoch.npz") as partial, partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, history=np.array(json.dumps(history)), **values)


def _restore(model: keras.Model, state: Path) -> list[dict[str, float]]:
    """Sets the model to the last kept epoch's end and gives the history so far; [] when there is none.

    Raises ValueError when the file is damaged, of another network, or holds anything but plain arrays.
    """
    if not (path := state / "epoch.npz").is_file():
        return []
    try:
        with np.load(path, allow_pickle=False) as kept:
            for place, variable in enumerate(_variables(model)):
                variable.assign(kept[f"variable_{place}"])
            return list(json.loads(str(kept["history"])))
    except Exception as error:  # zipfile, NumPy and Keras raise anything
        raise ValueError(
            f"{path}: is no state of this training ({' '.join(str(error).split())[:200]}): remove {state}"
        ) from error


def _line(label: str, row: dict[str, float], epochs: int, seconds: float) -> str:
    shown = "  ".join(f"{name} {row[name]:.3f}" for name in ("loss", "accuracy", "val_loss", "val_error") if name in row)
    left = seconds * (epochs - row["epoch"])
    return f"{label}: epoch {row['epoch']:.0f}/{epochs}  {shown}  ({seconds:.1f} s an epoch, {left:.0f} s left)"
