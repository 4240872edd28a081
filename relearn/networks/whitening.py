"""Whitening of image patches by a first convolution."""

from collections.abc import Iterable

import numpy as np

from relearn.data.arrays import Split
from relearn.networks.engine import keras

NAME = "whiten"
PATCH, PATCH_IMAGES, PATCH_NOISE = 2, 5_000, 5e-4  # side, images looked at, added to each variance
PATCH_BLOCK = 250  # images at once


def layers(train: Split) -> list[keras.layers.Layer]:
    """Standardizes each channel as the images of `train` have it, and whitens their patches. ValueError for one flat colour."""
    mean, deviation = train.channel_statistics()
    if not deviation.all():
        raise ValueError("pixels: whitened needs training images with more than one value in each channel")
    scale = keras.layers.Rescaling((1 / deviation).tolist(), (-mean / deviation).tolist(), name="scale")
    blocks = range(0, min(PATCH_IMAGES, len(train)), PATCH_BLOCK)
    weights = kernel((train.batch(slice(at, min(at + PATCH_BLOCK, PATCH_IMAGES))) - mean) / deviation for at in blocks)
    layer = keras.layers.Conv2D(weights.shape[-1], PATCH, name=NAME)
    layer.build((None, *train.image_shape))
    layer.kernel.assign(weights)
    return [scale, layer]


def kernel(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """A kernel (2, 2, C, 8 C) whose outputs on images (blocks of N x H x W x C) are uncorrelated, of variance one, and negatives.

    Eigenvectors of the patches' second moments, each over sqrt(eigenvalue + 5e-4). Page 2018, "How to train your ResNet".
    """
    moments, count, channels = np.zeros(()), 0, 0
    for images in blocks:
        channels = images.shape[-1]
        windows = np.lib.stride_tricks.sliding_window_view(images, (PATCH, PATCH), axis=(1, 2))
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, PATCH * PATCH * channels)
        moments, count = moments + patches.T @ patches, count + len(patches)
    values, vectors = np.linalg.eigh(moments / count)
    filters = (vectors / np.sqrt(values + PATCH_NOISE))[:, ::-1].reshape(PATCH, PATCH, channels, -1)
    return np.concatenate([filters, -filters], axis=-1)


def train_only_bias(model: keras.Model) -> None:
    """Keeps the kernel of a whitening in `model` as it is. Keras does not save that, so every network to be trained is told."""
    for layer in model.layers:
        if layer.name == NAME:
            layer.kernel.trainable = False
