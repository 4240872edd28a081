"""Floating point operations of a network's products; a multiplication and its addition are two."""

import math

from stages.lib.engine import keras

TRAINING = 3  # forward, the gradient of the inputs and that of the weights: as many products each


def forward(model: keras.Model) -> int:
    """Operations of one image on its way through the convolutions and dense layers; all else is left out."""
    return sum(map(_layer, model.layers))


def training(model: keras.Model) -> int:
    """Operations that an image costs in training: three times `forward`, though the first layer's inputs need no gradient."""
    return TRAINING * forward(model)


def _layer(layer: keras.layers.Layer) -> int:
    if isinstance(layer, keras.layers.Conv2D):
        return 2 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:3])
    return 2 * math.prod(layer.kernel.shape) if isinstance(layer, keras.layers.Dense) else 0
