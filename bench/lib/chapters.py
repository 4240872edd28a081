"""The chapters' own way, written out: plain Keras on float32 arrays in memory, PIL image by image.

Nothing of relearn/ is used here but the import of Keras, so that it can be held against ours.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from relearn.networks.engine import keras

L = keras.layers


def shallow_adadelta() -> keras.Sequential:
    """Kneusel ch. 14: 1,626,442 parameters."""
    model = keras.Sequential([
        L.Input((32, 32, 3)),
        L.Conv2D(32, (3, 3), activation="relu"),
        L.Conv2D(64, (3, 3), activation="relu"),
        L.MaxPooling2D((2, 2)),
        L.Dropout(0.25),
        L.Flatten(),
        L.Dense(128, activation="relu"),
        L.Dropout(0.5),
        L.Dense(10, activation="softmax"),
    ])  # fmt: skip
    return _compiled(model, keras.optimizers.Adadelta(learning_rate=1.0))


def deep_adadelta() -> keras.Sequential:
    """Kneusel ch. 14: 1,139,338 parameters."""
    return _compiled(_deep(32, 10), keras.optimizers.Adadelta(learning_rate=1.0))


def vehicles() -> keras.Sequential:
    """Kneusel ch. 14: the deep network on 28-pixel crops, four classes."""
    return _compiled(_deep(28, 4), keras.optimizers.Adadelta(learning_rate=1.0))


def cifar_deeper() -> keras.Sequential:
    """Deep Learning with TensorFlow and Keras, ch. 3: six convolutions with batch normalization."""
    model = keras.Sequential([L.Input((32, 32, 3))])
    for filters, rate in ((32, 0.2), (64, 0.3), (128, 0.4)):
        for _ in range(2):
            model.add(L.Conv2D(filters, (3, 3), padding="same", activation="relu"))
            model.add(L.BatchNormalization())
        model.add(L.MaxPooling2D((2, 2)))
        model.add(L.Dropout(rate))
    model.add(L.Flatten())
    model.add(L.Dense(10, activation="softmax"))
    return _compiled(model, keras.optimizers.RMSprop())


NETWORKS: dict[str, Callable[[], keras.Sequential]] = {
    "shallow_adadelta": shallow_adadelta, "deep_adadelta": deep_adadelta, "vehicles": vehicles, "cifar_deeper": cifar_deeper,
}  # fmt: skip


def prepared(images: np.ndarray, labels: np.ndarray, n_classes: int, standardized: bool) -> tuple[np.ndarray, np.ndarray]:
    """float32 pixels over 255, or less their mean over their deviation; one-hot labels."""
    pixels = images.astype("float32")
    pixels = (pixels - pixels.mean()) / pixels.std() if standardized else pixels / 255
    return pixels, keras.utils.to_categorical(labels, n_classes)


def fit(model: keras.Model, images: np.ndarray, labels: np.ndarray, batch: int) -> None:
    """One epoch."""
    model.fit(images, labels, batch_size=batch, epochs=1, shuffle=True, verbose=0)


def compiled(model: keras.Model, optimizer: str, learning_rate: float, momentum: float = 0.0) -> keras.Model:
    """`model` compiled as the chapters do it, for one-hot labels."""
    more = {"momentum": momentum} if momentum else {}
    config = {"learning_rate": learning_rate, **more}
    return _compiled(model, keras.optimizers.get({"class_name": optimizer, "config": config}))


def augmented(images: np.ndarray, factor: int, crop: int, random: np.random.Generator) -> np.ndarray:
    """Kneusel ch. 5: each image plain and `factor` - 1 times altered, one by one with PIL, and shuffled: uint8."""
    side = images.shape[1]
    altered = np.zeros((len(images) * factor, crop, crop, 3), dtype="uint8")
    place = 0
    for pixels in images:
        picture = Image.fromarray(pixels)
        altered[place] = np.array(_centre(picture, side, crop))
        place += 1
        for _ in range(factor - 1):
            altered[place] = np.array(_altered(picture, side, crop, random))
            place += 1
    return altered[random.permutation(len(altered))]


def _altered(picture: Image.Image, side: int, crop: int, random: np.random.Generator) -> Image.Image:
    if random.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if random.random() < 1 / 3:
        return _centre(picture.rotate(10 * random.random() - 5, resample=Image.Resampling.BILINEAR), side, crop)
    left, top = random.integers(0, 3, 2)
    return picture.crop((left, top, left + crop, top + crop))


def _centre(picture: Image.Image, side: int, crop: int) -> Image.Image:
    edge = (side - crop) // 2
    return picture.crop((edge, edge, edge + crop, edge + crop))


def _deep(side: int, n_classes: int) -> keras.Sequential:
    return keras.Sequential([
        L.Input((side, side, 3)),
        L.Conv2D(32, (3, 3), activation="relu"),
        *(L.Conv2D(64, (3, 3), activation="relu") for _ in range(4)),
        L.MaxPooling2D((2, 2)),
        L.Dropout(0.25),
        L.Flatten(),
        L.Dense(128, activation="relu"),
        L.Dropout(0.5),
        L.Dense(128, activation="relu"),
        L.Dropout(0.5),
        L.Dense(n_classes, activation="softmax"),
    ])  # fmt: skip


def _compiled(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> keras.Model:
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model
