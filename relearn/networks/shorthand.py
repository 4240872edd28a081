"""The shorthand in which params.yaml spells a network, read without importing TensorFlow.

    C32 C64 P2 D.25 flatten F128 D.5

C<n>: convolution of n filters, ReLU, 3x3 without padding; C<n>k5: 5x5; C<n>s: padded, the map keeps its side.
C<n>i: padded, without bias and ReLU; at first its filters hand on their input (identity), those beyond it are random.
BN: batch normalization; BNc: it only centres and scales to deviation one, then shifts. GELU: that activation.
P<n>: n x n max pooling. D<rate>: dropout. flatten, or GAP: the average over the map. F<n>: dense layer of n units, ReLU.
T<n>, last: the softmax has temperature n (its inputs are divided by it) and no bias.
sigmoid, last: for two classes one sigmoid unit, the second class' probability, in place of the softmax.
The softmax over the classes is added by whoever builds it.
"""

import re
from typing import Literal, NamedTuple

Kind = Literal[
    "conv", "identity", "norm", "centring", "gelu", "pool", "dropout", "dense", "flatten", "average", "temperature", "sigmoid"
]  # fmt: skip
WITH_WEIGHTS = ("conv", "identity", "norm", "centring", "dense")
WORDS: dict[str, Kind] = {
    "flatten": "flatten", "GAP": "average", "BN": "norm", "BNc": "centring", "GELU": "gelu", "sigmoid": "sigmoid",
}  # fmt: skip
IMAGENET_MEAN = (123.68, 116.779, 103.939)  # red, green, blue, as ResNet50 and VGG16 have it taken off their pixels
LETTERS: dict[str, Kind] = {"P": "pool", "F": "dense", "T": "temperature"}


class Layer(NamedTuple):
    """One layer: `name` counts within its kind (conv_0, conv_1, ...), `value` is its number, the rest is of a conv."""

    kind: Kind
    name: str
    value: float
    kernel: int = 3
    same: bool = False


def parse(text: str) -> list[Layer]:
    """The layers that `text` spells, in order. Raises ValueError naming the first word it cannot read."""
    parsed: list[Layer] = []
    for word in text.split():
        kind, value, kernel, same = _read(word)
        count = sum(layer.kind == kind for layer in parsed)
        parsed.append(Layer(kind, f"{kind}_{count}", value, kernel, same))
    flat = [layer.kind in ("flatten", "average") for layer in parsed].count(True)
    if flat != 1:
        raise ValueError(f"{text!r} has flatten or GAP {flat} times: once, before the first dense layer")
    if any(layer.kind in ("temperature", "sigmoid") for layer in parsed[:-1]):
        raise ValueError(f"{text!r} has T<n> or sigmoid, which say what the last layer is, before its end")
    return parsed


def _read(word: str) -> tuple[Kind, float, int, bool]:
    """Kind, number, kernel and padding of one word."""
    if word in WORDS:
        return WORDS[word], 0.0, 3, False
    if match := re.fullmatch(r"C([1-9]\d*)(?:k([1-9]\d*))?(s?)", word):
        return "conv", float(match[1]), int(match[2] or 3), match[3] == "s"
    if match := re.fullmatch(r"C([1-9]\d*)i", word):
        return "identity", float(match[1]), 3, True
    if match := re.fullmatch(r"([PFT])([1-9]\d*)", word):
        return LETTERS[match[1]], float(match[2]), 3, False
    if match := re.fullmatch(r"D(0?\.\d+)", word):
        return "dropout", float(match[1]), 3, False
    raise ValueError(
        f"{word!r} is none of C<filters>[k<kernel>][s], C<filters>i, BN, BNc, GELU, P<pool>, D<rate below 1>, "
        "flatten, GAP, F<units>, T<temperature>, sigmoid"
    )  # fmt: skip


def flat_units(text: str, side: int, channels: int) -> int:
    """Numbers that reach the first dense layer for square images of `side` pixels. ValueError when one is too small."""
    for layer in parse(text):
        if layer.kind in ("conv", "identity"):
            side, channels = side if layer.same else side - layer.kernel + 1, int(layer.value)
        elif layer.kind == "pool":
            side //= int(layer.value)
        elif layer.kind == "average":
            return channels
        elif layer.kind == "flatten":
            break
        if side < 1:
            raise ValueError(f"nothing is left of the image after {layer.name}")
    return side * side * channels
