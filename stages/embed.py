"""Run images through the lower part of a trained network or a backbone, and keep what comes out.

    python -m stages.embed mnist

Reads  params embed.<key>; models/<model>.keras, data/<images>
Writes data/embeddings/<key>/{train,test}_{features,labels}.npy, classes.json
"""

from collections.abc import Iterator

import numpy as np

from relearn import checks
from relearn.backbones import backbones
from relearn.data import arrays, places
from relearn.networks import keras_file, nets
from relearn.networks.engine import keras, tf
from relearn.params.training import Embed
from relearn.process import command, timings
from relearn.process.progress import Progress
from relearn.training import compute

BLOCK = 100


def main(key: str) -> None:
    settings = checks.load()
    spec: Embed = settings.experiment("embed", key)
    with timings.stage(f"embed@{key}", settings.scale):
        compute.configure(settings.compute)
        lower = network(spec)
        folder = arrays.DATA / "embeddings" / key
        limits = {"train": spec.train_images, "test": spec.test_images}
        for split, limit in limits.items():
            images, labels = arrays.open_dataset(spec.images, split)
            shape = (len(images[:limit]), *lower.output_shape[1:])
            blocks = features(lower, images[:limit], spec, f"embed@{key} {split}")
            arrays.write_blocks(folder / f"{split}_features.npy", shape, blocks, dtype(spec))
            arrays.write(folder, **{f"{split}_labels": labels[:limit]})
        arrays.write_classes(folder, arrays.read_classes(arrays.DATA / spec.images))
    print(f"{folder}: {np.prod(shape[1:])} numbers an image, from {spec.model}.{lower.layers[-1].name}")


def dtype(spec: Embed) -> str:
    """float32, but float16 for maps of features: it halves 100,352 numbers an image."""
    return "float16" if spec.model.startswith("backbones/") and not spec.pooled else "float32"


def network(spec: Embed) -> keras.Model:
    """Images in, the features out that `spec` asks for."""
    model = keras_file.load(places.model(spec.model))
    if spec.layer:
        lower = nets.cut(backbones.resized(model, spec.side) if spec.side else model, spec.layer)
    else:
        lower = backbones.trunk(model, spec.side)
    if spec.pooled and len(lower.output_shape) == 4:
        return keras.Model(lower.inputs, keras.layers.GlobalAveragePooling2D(name="pooled")(lower.output))
    return lower


def features(lower: keras.Model, images: np.ndarray, spec: Embed, label: str) -> Iterator[np.ndarray]:
    """The network's output block by block; images scaled to its side (bilinear) or centred on black."""
    for start in Progress(range(0, len(images), BLOCK), desc=label, unit="block"):
        block = images[start : start + BLOCK]
        if spec.side and block.shape[1:3] != (spec.side, spec.side):
            scaled = tf.image.resize(block, (spec.side, spec.side))
            block = np.asarray(tf.cast(tf.round(scaled), tf.uint8))
        elif not spec.side:
            block = arrays.fit_into(block, lower.input_shape[1:])
        yield lower.predict_on_batch(block)


if __name__ == "__main__":
    command.run(main)
