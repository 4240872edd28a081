"""Training that gives the same bytes every time, also when it was killed and went on.

Every epoch starts from a known state: the order of the images and the seed of each random layer come
from (seed, layer, epoch). So an epoch's end, with weights and optimizer, is all there is to keep. It goes
into one file, replaced as a whole; Keras' BackupAndRestore would keep neither seeds nor history.
"""

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.lib import seeds
from stages.lib.arrays import Split
from stages.lib.engine import keras
from stages.lib.params import Fit

EVALUATION_BATCH = 500


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Whole batches of a split by index, in an order that depends on (seed, epoch) alone."""

    def __init__(self, split: Split, batch: int, seed: int) -> None:
        super().__init__()
        self.split, self.batch, self.seed = split, batch, seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draws the order of `epoch`."""
        self.order = seeds.generator(self.seed, "order", epoch).permutation(len(self.split))

    @property
    def num_batches(self) -> int:
        return math.ceil(len(self.split) / self.batch)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        places = self.order[index * self.batch : (index + 1) * self.batch]
        return self.split.batch(places), self.split.labels[places]


def run(model: keras.Model, train: Split, validation: Split, spec: Fit, seed: int, state: Path, label: str) -> pd.DataFrame:
    """Trains a compiled `model` for `spec.epochs`, going on from `state` where an earlier run was cut off.

    validation: shown per epoch and used for nothing; may be empty.
    Returns the history of all epochs: epoch (from 1), loss, accuracy and, with validation, val_loss,
    val_accuracy, val_error. Raises FloatingPointError when the loss is no longer a number.
    """
    batches = Batches(train, spec.batch, seed)
    checks = (validation.batch(slice(None)), validation.labels) if len(validation) else None
    bar = sys.stdout.isatty() and os.environ.get("RELEARN_LINES") is None
    history = _restore(model, state)
    if history:
        print(f"{label}: going on after epoch {len(history)} of {spec.epochs}", flush=True)
    started, first = time.perf_counter(), len(history)
    for epoch in range(first, spec.epochs):
        batches.start_epoch(epoch)
        reset_random_layers(model, seed, epoch)
        logs = model.fit(
            batches, epochs=epoch + 1, initial_epoch=epoch, shuffle=False, verbose=1 if bar else 0,
            validation_data=checks, validation_batch_size=EVALUATION_BATCH,
            callbacks=[keras.callbacks.TerminateOnNaN()],
        ).history  # fmt: skip
        row = {"epoch": epoch + 1, **{name: values[-1] for name, values in logs.items()}}
        if not math.isfinite(row["loss"]):
            raise FloatingPointError(f"{label}: the loss is {row['loss']} in epoch {epoch + 1}; "
                                     "a smaller optimizer.learning_rate may help")  # fmt: skip
        if checks:
            row["val_error"] = 1 - row["val_accuracy"]
        history.append(row)
        _keep(model, history, state)
        if not bar:
            print(_line(label, row, spec.epochs, (time.perf_counter() - started) / (epoch + 1 - first)), flush=True)
    return pd.DataFrame(history)


def reset_random_layers(model: keras.Model, seed: int, epoch: int) -> None:
    """Gives every random layer (dropout, augmentation) the state that belongs to (seed, layer, epoch)."""
    for variable in model.variables:
        if variable.path.endswith("seed_generator_state"):
            words = [seeds.derive(seed, variable.path, epoch, word) for word in range(2)]
            variable.assign(np.array(words, "uint32"))


def predict(model: keras.Model, split: Split) -> np.ndarray:
    """The model's output for each image of `split`, in its order: float32, (N, outputs)."""
    blocks = range(0, len(split), EVALUATION_BATCH)
    return np.concatenate([model.predict_on_batch(split.batch(slice(at, at + EVALUATION_BATCH))) for at in blocks])


def _variables(model: keras.Model) -> list[Any]:
    model.optimizer.build(model.trainable_variables)
    return [*model.weights, *model.optimizer.variables]


def _keep(model: keras.Model, history: list[dict[str, float]], state: Path) -> None:
    """Writes weights, optimizer and history to one file that is either the old one or the new one."""
    state.mkdir(parents=True, exist_ok=True)
    values = {f"variable_{place}": np.asarray(variable) for place, variable in enumerate(_variables(model))}
    with (state / "epoch.partial").open("wb") as stream:
        np.savez(stream, allow_pickle=False, history=np.array(json.dumps(history)), **values)
    os.replace(state / "epoch.partial", state / "epoch.npz")


def _restore(model: keras.Model, state: Path) -> list[dict[str, float]]:
    """Sets the model to the last kept epoch's end and gives the history so far; [] when there is none."""
    if not (state / "epoch.npz").is_file():
        return []
    with np.load(state / "epoch.npz", allow_pickle=False) as kept:
        for place, variable in enumerate(_variables(model)):
            variable.assign(kept[f"variable_{place}"])
        return list(json.loads(str(kept["history"])))


def _line(label: str, row: dict[str, float], epochs: int, seconds: float) -> str:
    shown = "  ".join(f"{name} {row[name]:.3f}" for name in ("loss", "accuracy", "val_loss", "val_error") if name in row)
    left = seconds * (epochs - row["epoch"])
    return f"{label}: epoch {row['epoch']:.0f}/{epochs}  {shown}  ({seconds:.1f} s an epoch, {left:.0f} s left)"
