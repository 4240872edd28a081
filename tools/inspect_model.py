"""List a network's layers: index, name, class, output shape, parameters, and whether they are trained.

    python -m tools.inspect_model vgg16

Reads  params backbones; models/<name>.keras
Writes nothing

The name is a backbone's key in params.yaml or an architecture (both are built with random weights), or a model's
key (models/<name>.keras). Indices are those of keras.applications: 0 is the scaling, in the place of the bare input.
"""

import math
from pathlib import Path

from relearn import checks
from relearn.backbones import backbones
from relearn.networks import keras_file
from relearn.networks.engine import keras
from relearn.params.data import Backbone
from relearn.params.whole import Params
from relearn.process import command


def main(name: str) -> None:
    print(table(network(name, checks.load())))


def network(name: str, settings: Params) -> keras.Model:
    """The network that `name` means. Raises ValueError, with the names there are, when it means none."""
    if name in settings.backbones:
        return architecture(settings.backbones[name].architecture)
    path = Path(f"models/{name}.keras")
    if path.is_file():
        model = keras_file.load(path)
        return keras.Model(model.inputs, model.outputs, name=model.name)  # a Sequential's layers do not say what feeds them
    try:
        return architecture(name)
    except ValueError as error:
        ours = ", ".join(settings.backbones) or "none"
        raise ValueError(f"{name}: no backbone of params.yaml ({ours}), there is no {path}, and as {error}") from error


def architecture(name: str) -> keras.Model:
    return backbones.make(Backbone(architecture=name, weights="random"), [])


def table(model: keras.Model) -> str:
    """A line for each layer, the sums, and the layers at which the network can be cut."""
    rows = [("index", "name", "class", "output shape", "parameters", "trained")]
    for index, layer in enumerate(backbones.numbered(model)):
        shape = " x ".join("N" if side is None else str(side) for side in layer.output.shape)
        trained = ("yes" if layer.trainable_weights else "no") if layer.weights else ""
        rows.append((str(index), layer.name, type(layer).__name__, shape, f"{layer.count_params():,}", trained))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    sums = f"{model.name}: {model.count_params():,} parameters, {trainable:,} trainable"
    cuts = backbones.cut_points(model)
    return "\n".join([*lines, "", sums, f"{len(cuts)} cut points: {', '.join(cuts)}"])


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    """A row's cells below those of the others, numbers to the right."""
    cells = zip(row, widths, strict=True)
    return "  ".join(
        f"{cell:>{width}}" if place in (0, 4) else f"{cell:<{width}}" for place, (cell, width) in enumerate(cells)
    ).rstrip()


if __name__ == "__main__":
    command.run(main)
