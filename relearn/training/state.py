"""Where an interrupted training resumes from: folders of their own in .state/, which DVC does not know."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relearn.data.arrays import Split
from relearn.params.training import Phase
from relearn.process import states
from relearn.process.states import STATE

if TYPE_CHECKING:
    from relearn.networks.engine import keras

CODE = ("data", "networks", "training")  # packages whose code a training depends on; what blocks say is hashed by value


def folder(
    key: str, model: "keras.Model", spec: Phase, seed: int, machine: Mapping[str, Any], splits: Sequence[Split],
    code: Sequence[str] = CODE,
) -> Path:  # fmt: skip
    """`.state/<key>-<hash>` for a training of `model` from its present weights, on these splits and this machine.

    code: the packages of relearn/ that may change what the training gives. States of `key` with another hash are
    removed: they can no longer be resumed.
    """
    from relearn.networks import keras_file  # TensorFlow, which a stage with workers does not need itself

    versions = [version(name) for name in ("keras", "tensorflow")]
    ingredients = [spec.model_dump(), keras_file.configuration(model), seed, dict(machine), versions]
    digest = hashlib.sha256(json.dumps(ingredients).encode())
    for package in code:
        for path in sorted((Path(__file__).parents[1] / package).rglob("*.py")):
            digest.update(path.read_bytes())
    for split in splits:
        digest.update(repr((split.crop, split.images.shape)).encode())
        for array in (split.images, split.rows, split.labels):
            digest.update(np.ascontiguousarray(array).data)
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).data)
    mine = STATE / f"{key}-{digest.hexdigest()[:16]}"
    for stale in STATE.glob(f"{key}-*"):
        if stale != mine:
            shutil.rmtree(stale, ignore_errors=True)
    states.sweep()
    return mine
