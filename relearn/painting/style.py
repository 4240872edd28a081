"""Style transfer: one picture's content in another picture's colours and strokes.

The recipe of Deep Learning with TensorFlow and Keras 3rd ed., ch. 3 (after Gatys et al. 2016): the pixels of a
picture are changed until a trained network's features are those of the content picture and the features' Gram
matrices those of the style picture. Distances are shares of the target's mean square, so that a weight means the
same for any layer, network and picture size.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy.optimize import minimize

from relearn.data import places
from relearn.networks import keras_file
from relearn.networks.engine import keras, tf
from relearn.params.base import Compute
from relearn.params.reporting import StyleTransfer
from relearn.photos import photographs
from relearn.process import atomic
from relearn.process.progress import Progress
from relearn.training import compute

NARROWEST = 16  # pixels: in less, the deeper layers of the usual networks have no positions to average over
WHITE = 255.0
LINE_SEARCH = 20  # evaluations that one step of L-BFGS may take, SciPy's own limit


class Losses(NamedTuple):
    """The weighted sum that is minimised, and its three parts without their weights."""

    loss: float
    content: float
    style: float
    total_variation: float


def scaled(image: np.ndarray, side: int) -> np.ndarray:
    """A uint8 H x W x 3 picture with `side` pixels on its longer side and its own aspect ratio (Lanczos).

    Raises ValueError when the shorter side would have less than 16 pixels.
    """
    height, width = image.shape[:2]
    factor = side / max(height, width)
    shape = (round(width * factor), round(height * factor))
    if min(shape) < NARROWEST:
        raise ValueError(f"{width} x {height} pixels would become {shape[0]} x {shape[1]}; {NARROWEST} a side are needed")
    return np.asarray(Image.fromarray(image).resize(shape, Image.Resampling.LANCZOS))


def feature_model(backbone: keras.Model, layers: Sequence[str]) -> keras.Model:
    """`backbone` up to `layers`, for float32 RGB pixels in [0, 255] of any height and width; a list of their outputs.

    backbone: takes uint8 images and prepares them by layers of its own. ValueError for a layer that it does not have.
    """
    known = [layer.name for layer in backbone.layers[1:] if len(layer.output.shape) == 4]
    if missing := [name for name in layers if name not in known]:
        raise ValueError(f"{', '.join(missing)}: not in the network, which has {', '.join(known)}")
    part = keras.Model(backbone.inputs, [backbone.get_layer(name).output for name in layers])
    pixels = keras.Input((None, None, backbone.input_shape[-1]), dtype="float32", name="pixels")
    model = keras.models.clone_model(part, input_tensors=[pixels])
    model.set_weights(part.get_weights())
    return model


def gram(features: tf.Tensor) -> tf.Tensor:
    """C x C Gram matrix of one picture's features (1 x H x W x C): products of two channels, mean over positions."""
    rows = tf.reshape(features, (-1, features.shape[-1]))
    return tf.matmul(rows, rows, transpose_a=True) / tf.cast(tf.shape(rows)[0], rows.dtype)


def distance(values: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Mean squared difference as a share of the target's mean square."""
    return tf.reduce_mean(tf.square(values - target)) / (tf.reduce_mean(tf.square(target)) + keras.config.epsilon())


def total_variation(pixels: tf.Tensor) -> tf.Tensor:
    """Mean squared step between neighbours, down plus across, of 1 x H x W x 3 pixels; from black to white is 1."""
    down, across = pixels[:, 1:] - pixels[:, :-1], pixels[:, :, 1:] - pixels[:, :, :-1]
    return (tf.reduce_mean(tf.square(down)) + tf.reduce_mean(tf.square(across))) / WHITE**2


class Objective:
    """The losses of a picture of `content`'s shape, and the gradient of their sum by its pixels.

    content, style: uint8 H x W x 3, each of any size. ValueError for a layer that the backbone does not have.
    """

    def __init__(self, backbone: keras.Model, content: np.ndarray, style: np.ndarray, spec: StyleTransfer) -> None:
        self.model = feature_model(backbone, [spec.content_layer, *spec.style_layers])
        self.weights = (spec.content_weight, spec.style_weight, spec.total_variation_weight)
        self.target = self._features(content)[0]
        self.grams = [gram(features) for features in self._features(style)[1:]]
        self.evaluate = tf.function(self._evaluate, input_signature=[tf.TensorSpec((1, *content.shape), tf.float32)])

    def __call__(self, pixels: np.ndarray) -> tuple[Losses, np.ndarray]:
        """pixels: H x W x 3 in [0, 255]. The gradient is float64 of that shape.

        Raises FloatingPointError when the losses are no longer numbers.
        """
        parts, gradient = self.evaluate(tf.constant(pixels[None], tf.float32))
        losses = Losses(*(float(part) for part in parts))
        if not np.isfinite(losses.loss):
            raise FloatingPointError(f"{losses}: a smaller learning_rate may help, or other style_layers")
        return losses, gradient[0].numpy().astype(np.float64)

    def _features(self, image: np.ndarray) -> list[tf.Tensor]:
        return list(self.model([tf.constant(image[None], tf.float32)]))

    def _evaluate(self, pixels: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            features, *deeper = self.model([pixels])
            style = [distance(gram(layer), target) for layer, target in zip(deeper, self.grams, strict=True)]
            parts = (distance(features, self.target), tf.add_n(style) / len(style), total_variation(pixels))
            loss = tf.add_n([weight * part for weight, part in zip(self.weights, parts, strict=True)])
        return (loss, *parts), tape.gradient(loss, pixels)


def transfer(
    backbone: keras.Model, content: np.ndarray, style: np.ndarray, spec: StyleTransfer, label: str
) -> tuple[np.ndarray, pd.DataFrame]:
    """The content picture in the other one's style, uint8 of its shape; and the losses by step, from step 0 on.

    content, style: uint8 H x W x 3, each of any size. The search starts from the content picture. There are fewer
    steps than `spec.steps` where L-BFGS finds no way down any more.
    """
    objective = Objective(backbone, content, style, spec)
    start = content.astype(np.float64)
    history = [objective(start)[0]]
    with Progress(total=spec.steps, desc=label, unit="step") as bar:

        def note(losses: Losses) -> None:
            history.append(losses)
            bar.update()

        optimise = _lbfgs if spec.optimizer == "lbfgs" else _adam
        pixels = optimise(objective, start, spec, note)
    table = pd.DataFrame(history).rename_axis("step").reset_index()
    return np.rint(np.clip(pixels, 0, WHITE)).astype(np.uint8), table


def _lbfgs(objective: Objective, start: np.ndarray, spec: StyleTransfer, note: Callable[[Losses], None]) -> np.ndarray:
    """`spec.steps` steps of L-BFGS-B, which keeps pixels in [0, 255] on its way; `note` gets the losses after each."""
    latest: list[Losses] = []

    def flat(unit: np.ndarray) -> tuple[float, np.ndarray]:
        losses, gradient = objective(unit.reshape(start.shape) * WHITE)
        latest[:] = [losses]
        return losses.loss, gradient.ravel() * WHITE

    optimum: Any = minimize(
        flat, start.ravel() / WHITE, jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * start.size,
        callback=lambda unit: note(latest[0]),
        options={"maxiter": spec.steps, "maxfun": spec.steps * LINE_SEARCH, "ftol": 0.0, "gtol": 0.0},
    )  # fmt: skip
    return optimum.x.reshape(start.shape) * WHITE


def _adam(objective: Objective, start: np.ndarray, spec: StyleTransfer, note: Callable[[Losses], None]) -> np.ndarray:
    """`spec.steps` steps of Adam, clipped to [0, 255] after each; `spec.learning_rate` is in pixel values (255 is white)."""
    pixels = keras.Variable(start, dtype="float32", name="pixels")
    adam = keras.optimizers.Adam(spec.learning_rate)
    gradient = objective(start)[1]
    for _ in range(spec.steps):
        adam.apply([gradient], [pixels])
        pixels.assign(keras.ops.clip(pixels, 0, WHITE))
        losses, gradient = objective(pixels.numpy())
        note(losses)
    return np.asarray(pixels.numpy(), np.float64)


def opened(names: Sequence[str], side: int) -> list[np.ndarray]:
    """The pictures at `side` pixels. Raises ValueError with a line for each that cannot be used."""
    images, mistakes = [], []
    for name in names:
        try:
            image = photographs.open_any(name)
        except ValueError as error:
            mistakes.append(str(error))
            continue
        try:
            images.append(scaled(image, side))
        except ValueError as error:
            mistakes.append(f"{name}: {error}")
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return images


def paint(
    machine: Compute, spec: StyleTransfer, content: np.ndarray, example: np.ndarray, label: str
) -> tuple[np.ndarray, pd.DataFrame, dict[str, str | int]]:
    """The picture, its losses by step, and what decided their low bits."""
    path = places.model(f"backbones/{spec.backbone}")
    if not path.is_file():
        raise ValueError(f"{path}: is not there yet; dvc repro fetch@{spec.backbone} makes it")
    # bfloat16's gradients send L-BFGS's line search astray: 1.4 times the evaluations, and a higher loss in the end.
    noted = compute.configure_float32(machine)
    return *transfer(keras_file.load(path), content, example, spec, label), noted


def save(image: np.ndarray, path: Path) -> None:
    """Writes a picture, whole or not at all."""
    with atomic.replacing(path) as partial:
        Image.fromarray(image).save(partial, quality=95)
