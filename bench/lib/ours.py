"""Our own way, an epoch at a time."""

import tempfile
from pathlib import Path

from bench.lib.trials import Work
from relearn.data.arrays import Split
from relearn.networks import nets
from relearn.networks.engine import keras
from relearn.params.training import Phase
from relearn.training import fit


def epoch(model: keras.Model, spec: Phase, split: Split) -> Work:
    """One epoch of `model`'s training on `split`, with what is kept at its end.

    The network is compiled once and warmed up, as the chapters' is; `train` would compile it anew for each epoch.
    """
    compiled = nets.trainer(model, spec, len(split))
    spec = spec.model_copy(update={"epochs": 1, "tensorboard": False})

    def work(part: Split = split) -> None:
        with tempfile.TemporaryDirectory() as state:
            fit.run(compiled, part, part.part(slice(0)), spec, 0, Path(state), "bench")

    work(split.part(slice(3 * spec.batch)))
    return work
