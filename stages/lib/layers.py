"""The shorthand in which params.yaml spells a network, read without importing TensorFlow.

    C32 C64 P2 D.25 flatten F128 D.5

C<n>: 3x3 convolution, n filters, ReLU, no padding. P<n>: n x n max pooling. D<rate>: dropout.
F<n>: dense layer of n units, ReLU. flatten. The softmax over the classes is added by whoever builds it.
"""

import re
from typing import Literal, NamedTuple

Kind = Literal["conv", "pool", "dropout", "dense", "flatten"]
KINDS: dict[str, Kind] = {"C": "conv", "P": "pool", "D": "dropout", "F": "dense", "flatten": "flatten"}
CONV_KERNEL = 3


class Layer(NamedTuple):
    """One layer: `name` counts within its kind (conv_0, conv_1, ...), `value` is its number."""

    kind: Kind
    name: str
    value: float


def parse(text: str) -> list[Layer]:
    """The layers that `text` spells, in order. Raises ValueError naming the first word it cannot read."""
    parsed: list[Layer] = []
    for word in text.split():
        match = re.fullmatch(r"([CPF])([1-9]\d*)|(D)(0?\.\d+)", word)
        if word == "flatten":
            kind, value = KINDS[word], 0.0
        elif match:
            kind = KINDS[match[1] or match[3]]
            value = float(match[2] or match[4])
        else:
            raise ValueError(f"{word!r} is none of C<filters>, P<pool>, D<rate below 1>, F<units>, flatten")
        count = sum(layer.kind == kind for layer in parsed)
        parsed.append(Layer(kind, f"{kind}_{count}", value))
    flat = [layer.kind for layer in parsed].count("flatten")
    if flat != 1:
        raise ValueError(f"{text!r} has flatten {flat} times: once, between the last pooling and the first dense layer")
    return parsed


def flat_units(text: str, side: int, channels: int) -> int:
    """Numbers that reach `flatten` for square images of `side` pixels. ValueError when an image is too small."""
    for layer in parse(text):
        if layer.kind == "conv":
            side, channels = side - CONV_KERNEL + 1, int(layer.value)
        elif layer.kind == "pool":
            side //= int(layer.value)
        elif layer.kind == "flatten":
            break
        if side < 1:
            raise ValueError(f"nothing is left of the image after {layer.name}")
    return side * side * channels
