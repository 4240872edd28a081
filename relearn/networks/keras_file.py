"""Networks on disk: .keras files, the same bytes for the same network, and loaded without running any code."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from relearn.data import containers
from relearn.networks.engine import keras
from relearn.process import atomic

EPOCH_ZERO = (1980, 1, 1, 0, 0, 0)


def save(model: keras.Model, path: Path) -> None:
    """Writes a .keras file, without optimizer, whose bytes depend on the network and its weights only.

    Keras notes the time, and the memory addresses of shared objects; both are taken out.
    """
    bare = type(model).from_config(model.get_config())  # clone_model would compile it, too
    bare.set_weights(model.get_weights())
    for variable in bare.variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign(np.zeros(variable.shape, variable.dtype))
    timeless = io.BytesIO()
    with atomic.replacing(path) as partial:
        bare.save(partial)
        with zipfile.ZipFile(partial) as written, zipfile.ZipFile(timeless, "w") as archive:
            for name in sorted(written.namelist()):
                content = written.read(name)
                if name.endswith(".json"):
                    content = json.dumps(_without_chance(json.loads(content), {})).encode()
                archive.writestr(zipfile.ZipInfo(name, EPOCH_ZERO), content)
        partial.write_bytes(timeless.getvalue())


def load(path: Path) -> keras.Model:
    """A saved network, for inference. ValueError for a file that carries code (safe_mode), is damaged or no network."""
    try:
        containers.check_zip(path)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # zipfile, json, h5py and Keras raise anything
        reason = " ".join(str(error).split()).rpartition("Exception encountered: ")[2]
        raise ValueError(f"{path}: cannot be loaded: {reason[:300]}") from error


def configuration(model: keras.Model) -> Any:
    """The layers of `model` and how they are joined, as JSON values that are equal for equal networks."""
    return _without_chance(json.loads(model.to_json()), {})


def _without_chance(node: Any, numbers: dict[int, int]) -> Any:
    """A saved configuration without its date, shared objects numbered by their first appearance."""
    if isinstance(node, list):
        return [_without_chance(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id" else _without_chance(value, numbers)
        for key, value in node.items()
        if key != "date_saved"
    }
