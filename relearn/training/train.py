"""The one way to train: compile a network for a block of params.yaml, fit it, resume where it was interrupted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from relearn.data.arrays import Split
from relearn.networks import nets
from relearn.networks.engine import keras
from relearn.params.training import Phase
from relearn.training import fit, state


class Training(NamedTuple):
    """What a training gives: a row an epoch (see `fit.run`), the folder of its state, what it predicted before."""

    history: pd.DataFrame
    state: Path
    before: np.ndarray

    @property
    def last(self) -> dict[str, float]:
        """Loss, accuracy and what else the last epoch's row has."""
        return {str(name): float(value) for name, value in self.history.iloc[-1].items() if name != "epoch"}


def train(
    model: keras.Model, spec: Phase, splits: Sequence[Split], seed: int, machine: Mapping[str, Any], key: str,
    label: str = "", kept: Path | None = None, score: Split | None = None, curve: Path | None = None,
) -> Training:  # fmt: skip
    """Trains `model` in place for `spec.epochs`; an earlier run of the same training, if it was interrupted, is resumed.

    splits: what is trained on, and what curves show, which may be empty. seed: of the order of images and of random
    layers. machine: what `compute.configure` gave. key: names the training in .state/; label: in what is printed.
    kept: the state's folder where the caller has it (`state.folder`). curve: a CSV file with the history so far.
    score: images to predict before the first epoch (here, since a network that predicts before it is compiled rounds
    otherwise after it). Raises FloatingPointError when the loss is NaN.
    """
    training, validation = splits
    kept = kept or state.folder(key, model, spec, seed, machine, splits)
    compiled = nets.trainer(model, spec, len(training) // training.copies)
    before = fit.predict(model, score) if score else np.empty((0, 0), np.float32)
    return Training(fit.run(compiled, training, validation, spec, seed, kept, label or key, curve), kept, before)
