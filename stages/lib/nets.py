"""Networks: built from the shorthand of params.yaml, changed for fine-tuning, saved and loaded."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from stages.lib import layers, seeds
from stages.lib.engine import keras
from stages.lib.params import Optimizer

HEAD = "head"
NETWORK = "network"  # Keras would number them, which would get into the saved bytes
EPOCH_ZERO = (1980, 1, 1, 0, 0, 0)


def build(net: str, image_shape: tuple[int, int, int], n_classes: int, seed: int) -> keras.Model:
    """A network of `net`'s layers on uint8 images of `image_shape`, its softmax over `n_classes`.

    net: shorthand (stages/lib/layers.py). Initial weights depend on `seed` alone.
    Pixels are scaled to [0, 1] by a Rescaling layer inside.
    """
    keras.utils.set_random_seed(seeds.derive(seed, "weights"))
    stack = [keras.Input(image_shape, dtype="uint8", name="image"), keras.layers.Rescaling(1 / 255, name="scale")]
    stack += [_layer(layer) for layer in layers.parse(net)]
    return keras.Sequential([*stack, keras.layers.Dense(n_classes, activation="softmax", name=HEAD)], name=NETWORK)


def compile_for(model: keras.Model, optimizer: Optimizer) -> None:
    """Compiles for integer labels; XLA stays off, as it is slower here and knows no bfloat16 option."""
    options = {"momentum": optimizer.momentum} if optimizer.momentum else {}
    made = keras.optimizers.get({"class_name": optimizer.name,
                                 "config": {"learning_rate": optimizer.learning_rate, **options}})  # fmt: skip
    model.compile(made, loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)


def adapt(base: keras.Model, n_classes: int, head: str, freeze: list[str], seed: int) -> keras.Model:
    """A copy of `base` that tells `n_classes` apart, with the layers in `freeze` not trainable. Kneusel ch. 14.

    head: "replaced" puts a new softmax in the place of the old one, "stacked" on top of it.
    """
    keras.utils.set_random_seed(seeds.derive(seed, "weights"))
    copy = keras.models.clone_model(base)
    copy.set_weights(base.get_weights())
    kept = [layer for layer in copy.layers if head == "stacked" or layer.name != HEAD]
    name = f"{HEAD}_stacked" if head == "stacked" else HEAD
    new_head = keras.layers.Dense(n_classes, activation="softmax", name=name)
    model = keras.Sequential([keras.Input(base.input_shape[1:], dtype="uint8", name="image"), *kept, new_head], name=NETWORK)
    for name in freeze:
        model.get_layer(name).trainable = False
    return model


def cut(model: keras.Model, layer: str) -> keras.Model:
    """The part of `model` up to and with `layer`: images in, that layer's output out."""
    return keras.Model(model.inputs, model.get_layer(layer).output)


def save(model: keras.Model, path: Path) -> None:
    """Writes a .keras file, without optimizer, whose bytes depend on the network and its weights only.

    Keras notes the time, and the memory addresses of shared objects; both are taken out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial.keras")
    bare = type(model).from_config(model.get_config())  # clone_model would compile it, too
    bare.set_weights(model.get_weights())
    bare.save(temporary)
    with zipfile.ZipFile(temporary) as written, zipfile.ZipFile(path, "w") as timeless:
        for name in sorted(written.namelist()):
            content = written.read(name)
            if name.endswith(".json"):
                content = json.dumps(_without_chance(json.loads(content), {})).encode()
            timeless.writestr(zipfile.ZipInfo(name, EPOCH_ZERO), content)
    os.remove(temporary)


def load(path: Path) -> keras.Model:
    """A saved network, for inference. Refuses files that carry code (safe_mode)."""
    return keras.models.load_model(path, compile=False, safe_mode=True)


def summary(model: keras.Model) -> str:
    """Keras' table of layers, shapes and parameters."""
    text = io.StringIO()
    model.summary(print_fn=lambda line: text.write(line + "\n"), line_length=80)
    return text.getvalue()


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


def _layer(layer: layers.Layer) -> keras.layers.Layer:
    if layer.kind == "conv":
        return keras.layers.Conv2D(int(layer.value), layers.CONV_KERNEL, activation="relu", name=layer.name)
    if layer.kind == "pool":
        return keras.layers.MaxPooling2D(int(layer.value), name=layer.name)
    if layer.kind == "dropout":
        return keras.layers.Dropout(layer.value, name=layer.name)
    if layer.kind == "dense":
        return keras.layers.Dense(int(layer.value), activation="relu", name=layer.name)
    return keras.layers.Flatten(name=layer.name)
