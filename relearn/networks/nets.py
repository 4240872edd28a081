"""Networks: built from the shorthand of params.yaml, compiled for their training, changed for fine-tuning."""

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from relearn.data import seeds
from relearn.data.arrays import Split
from relearn.networks import optimizers, shorthand, whitening
from relearn.networks.engine import keras
from relearn.params.training import Augmentation, Fit, Phase

HEAD = "head"
NETWORK = "network"  # Keras would number them, which would get into the saved bytes
TRAINING = 3  # as many operations as forward: for the outputs, the gradients of the inputs, and those of the weights
HALF = 0.5  # added before the cast to uint8, which cuts off: together they round


def build(
    net: str, image_shape: tuple[int, ...], n_classes: int, seed: int, front: Sequence[keras.layers.Layer] | None = None
) -> keras.Model:
    """A network of `net`'s layers on images of `image_shape`, its softmax over `n_classes` (or its sigmoid unit).

    net: shorthand (relearn/networks/shorthand.py). Initial weights depend on `seed` alone.
    front: input and first layers (see `front`); None takes uint8 images and scales their pixels to [0, 1].
    """
    keras.utils.set_random_seed(seeds.derive(seed, "weights"))
    if front is None:
        front = [keras.Input(image_shape, dtype="uint8", name="image"), keras.layers.Rescaling(1 / 255, name="scale")]
    model = keras.Sequential([*front, *_stack(net, n_classes)], name=NETWORK)
    _start(model, net)
    return model


def for_data(net: str, spec: Fit, train: Split, n_classes: int, seed: int) -> keras.Model:
    """A network of `net`'s layers with fresh weights for the images of `train`, prepared as `spec` says."""
    return build(net, train.image_shape, n_classes, seed, front(spec, train))


def front(spec: Fit, train: Split) -> list[keras.layers.Layer]:
    """Input and first layers for `train`: resizing and scaling as `spec` says; of an embedding the input only.

    pixels "unit": to [0, 1]. "standardized": less the mean, over the deviation of all pixels of `train`.
    "whitened": so for each channel, then a convolution that is not trained but for its bias.
    "caffe": less ImageNet's mean of each channel.
    """
    dtype = train.dtype.name
    if dtype != "uint8":
        return [keras.Input(train.image_shape, dtype=dtype, name="features")]
    stack = [keras.Input(train.image_shape, dtype=dtype, name="image")]
    if spec.side:
        stack.append(keras.layers.Resizing(spec.side, spec.side, name="resize"))
    if spec.pixels == "unit":
        return [*stack, keras.layers.Rescaling(1 / 255, name="scale")]
    if spec.pixels == "caffe":
        return [*stack, keras.layers.Rescaling([1.0] * 3, [-mean for mean in shorthand.IMAGENET_MEAN], name="scale")]
    if spec.pixels == "whitened":
        return [*stack, *whitening.layers(train)]
    mean, deviation = train.pixel_statistics()
    return [*stack, keras.layers.Rescaling(1 / deviation, -mean / deviation, name="scale")]


def operations(model: keras.Model) -> int:
    """Floating point operations that the convolutions and dense layers of `model` take for one image, forward.

    A multiplication and an addition count as two; a training step takes `TRAINING` times as many.
    """
    counted = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense | keras.layers.Conv2D):
            places = math.prod(layer.output.shape[1:-1])
            counted += 2 * places * math.prod(layer.kernel.shape)
    return counted


def trainable_parameters(model: keras.Model) -> int:
    """How many numbers of `model` are trained."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def trainer(model: keras.Model, spec: Phase, images: int) -> keras.Model:
    """`model` compiled for its training on so many images, behind random changes of them if there are any.

    The weights are its own. The changes are no part of `model`, so that what is saved is what is used afterwards.
    """
    trained = model
    if changes := augmentation(spec.augmentation):
        image = keras.Input(model.input_shape[1:], dtype="uint8", name="image")
        changed = image
        for layer in [*changes, keras.layers.Rescaling(1.0, HALF, name="round")]:
            changed = layer(changed)
        trained = keras.Model(image, model(changed), name=f"{NETWORK}_augmented")
    compile_for(trained, spec, images)
    return trained


def augmentation(spec: Augmentation | None) -> list[keras.layers.Layer]:
    """Keras' random layers for `spec`, active in training only; what leaves the image is filled with its nearest pixel.

    Their random states are set by (seed, layer, epoch) in `fit`; what is done when batches are made is in `crops`.
    """
    if spec is None:
        return []
    fill = {"fill_mode": "nearest", "seed": 0}
    changes = []
    if spec.rotation_degrees:
        changes.append(keras.layers.RandomRotation(spec.rotation_degrees / 360, name="rotate", **fill))
    if spec.shift:
        changes.append(keras.layers.RandomTranslation(spec.shift, spec.shift, name="shift", **fill))
    if spec.shear_degrees:
        share = math.tan(math.radians(spec.shear_degrees))
        changes.append(keras.layers.RandomShear(share, 0.0, name="shear", **fill))
    if spec.zoom:
        changes.append(keras.layers.RandomZoom(spec.zoom, name="zoom", **fill))
    if spec.mirror:
        changes.append(keras.layers.RandomFlip("horizontal", seed=0, name="mirror"))
    return changes


def compile_for(model: keras.Model, spec: Phase, images: int) -> None:
    """Compiles for integer labels; XLA stays off, as it is slower here and knows no bfloat16 option."""
    steps = spec.epochs * math.ceil(images / spec.batch)
    if model.output_shape[-1] == 1:
        loss = keras.losses.BinaryCrossentropy(label_smoothing=spec.label_smoothing)
    else:
        loss = _smoothed(spec.label_smoothing) if spec.label_smoothing else "sparse_categorical_crossentropy"
    model.compile(optimizers.build(spec.optimizer, steps), loss=loss, metrics=["accuracy"], jit_compile=False)


def _smoothed(share: float) -> Callable[[Any, Any], Any]:
    """Cross-entropy with `share` of the probability spread evenly over all classes, for integer labels."""

    def smoothed_crossentropy(labels: Any, probabilities: Any) -> Any:
        targets = keras.ops.one_hot(keras.ops.reshape(labels, (-1,)), probabilities.shape[-1])
        return keras.losses.categorical_crossentropy(targets, probabilities, label_smoothing=share)

    return smoothed_crossentropy


def adapt(base: keras.Model, n_classes: int, head: str, freeze: list[str], seed: int) -> keras.Model:
    """A copy of `base` for `n_classes`, with the layers in `freeze` not trainable. Kneusel ch. 14.

    head: "replaced" puts a new softmax in the place of the old one, "stacked" on top of it; after a sigmoid unit, for two
    classes, it is one again.
    """
    keras.utils.set_random_seed(seeds.derive(seed, "weights"))
    copy = keras.models.clone_model(base)
    copy.set_weights(base.get_weights())
    kept = [layer for layer in copy.layers if head == "stacked" or layer.name != HEAD]
    name = f"{HEAD}_stacked" if head == "stacked" else HEAD
    options = {} if base.get_layer(HEAD).use_bias or head == "stacked" else _head_of_temperature()
    sigmoid = base.output_shape[-1] == 1 and n_classes == 2
    new_head = _sigmoid(name) if sigmoid else keras.layers.Dense(n_classes, activation="softmax", name=name, **options)
    model = keras.Sequential([keras.Input(base.input_shape[1:], dtype="uint8", name="image"), *kept, new_head], name=NETWORK)
    whitening.train_only_bias(model)
    for name in freeze:
        model.get_layer(name).trainable = False
    return model


def with_head(trunk: keras.Model, net: str, n_classes: int, seed: int) -> keras.Model:
    """`trunk` with the layers of `net` on its output, and its head for `n_classes`; their weights depend on `seed`."""
    keras.utils.set_random_seed(seeds.derive(seed, "weights"))
    output = trunk.output
    for layer in _stack(net, n_classes):
        output = layer(output)
    model = keras.Model(trunk.inputs, output, name=NETWORK)
    _start(model, net)
    return model


def cut(model: keras.Model, layer: str) -> keras.Model:
    """The part of `model` up to and with `layer`: images in, that layer's output out."""
    return keras.Model(model.inputs, model.get_layer(layer).output)


def summary(model: keras.Model) -> str:
    """Keras' table of layers, shapes and parameters."""
    text = io.StringIO()
    model.summary(print_fn=lambda line: text.write(line + "\n"), line_length=80)
    return text.getvalue()


def _stack(net: str, n_classes: int) -> list[keras.layers.Layer]:
    """The layers that `net` spells, and the softmax over the classes. ValueError for a sigmoid unit and not two classes."""
    spelt = shorthand.parse(net)
    if spelt[-1].kind == "sigmoid":
        if n_classes != 2:
            raise ValueError(f"{net!r} ends in one sigmoid unit, which tells two classes apart; there are {n_classes}")
        return [*map(_layer, spelt[:-1]), _sigmoid(HEAD)]
    options: dict[str, Any] = {}
    if spelt[-1].kind == "temperature":
        options = _head_of_temperature()
    return [*map(_layer, spelt), keras.layers.Dense(n_classes, activation="softmax", name=HEAD, **options)]


def _sigmoid(name: str) -> keras.layers.Dense:
    """One unit whose output is the second class' probability: a softmax of two whose first logit is always zero."""
    return keras.layers.Dense(1, activation="sigmoid", name=name)


def _head_of_temperature() -> dict[str, Any]:
    return {"use_bias": False, "kernel_initializer": _within_fan_in()}


def _within_fan_in() -> keras.initializers.Initializer:
    """Uniform within 1 / sqrt(inputs of a unit), either way."""
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def _start(model: keras.Model, net: str) -> None:
    """Applies initialization that Keras cannot express."""
    for layer in shorthand.parse(net):
        if layer.kind == "identity":
            _identity(model.get_layer(layer.name))
    whitening.train_only_bias(model)


def _identity(layer: keras.layers.Conv2D) -> None:
    """Lets the first filters of a convolution give its input unchanged: Dirac initialization (Zagoruyko, Komodakis 2017)."""
    [kernel] = layer.get_weights()
    centre = [side // 2 for side in kernel.shape[:2]]
    channels = min(kernel.shape[2:])
    kernel[..., :channels] = 0
    kernel[(*centre, np.arange(channels), np.arange(channels))] = 1
    layer.kernel.assign(kernel)


def _layer(layer: shorthand.Layer) -> keras.layers.Layer:
    if layer.kind == "conv":
        padding = "same" if layer.same else "valid"
        return keras.layers.Conv2D(int(layer.value), layer.kernel, padding=padding, activation="relu", name=layer.name)
    if layer.kind == "identity":
        return keras.layers.Conv2D(int(layer.value), layer.kernel, padding="same", use_bias=False,
                                   kernel_initializer=_within_fan_in(), name=layer.name)  # fmt: skip
    if layer.kind == "centring":
        return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-12, scale=False, name=layer.name)
    if layer.kind == "gelu":
        return keras.layers.Activation("gelu", name=layer.name)
    if layer.kind == "temperature":
        return keras.layers.Rescaling(1 / layer.value, name=layer.name)
    if layer.kind == "norm":
        return keras.layers.BatchNormalization(name=layer.name)
    if layer.kind == "average":
        return keras.layers.GlobalAveragePooling2D(name=layer.name)
    if layer.kind == "pool":
        return keras.layers.MaxPooling2D(int(layer.value), name=layer.name)
    if layer.kind == "dropout":
        return keras.layers.Dropout(layer.value, name=layer.name)
    if layer.kind == "dense":
        return keras.layers.Dense(int(layer.value), activation="relu", name=layer.name)
    return keras.layers.Flatten(name=layer.name)
