"""Run images through the lower part of a trained network and keep what comes out.

    python -m stages.embed mnist

Reads  params embed.<key>; models/<model>.keras, data/<images>
Writes data/embeddings/<key>/{train,test}_{features,labels}.npy, classes.json
"""

from pathlib import Path

import numpy as np

from stages.lib import arrays, compute, nets, params, timings
from stages.lib.progress import Progress

BLOCK = 500


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("embed", key)
    with timings.stage(f"embed@{key}", settings.scale):
        compute.configure(settings.compute)
        lower = nets.cut(nets.load(Path(f"models/{spec.model}.keras")), spec.layer)
        folder = arrays.DATA / "embeddings" / key
        for split, limit in (("train", spec.train_images), ("test", spec.test_images)):
            images, labels = arrays.open_dataset(spec.images, split)
            starts = range(0, len(images[:limit]), BLOCK)
            features = [
                lower.predict_on_batch(arrays.fit_into(images[:limit][at : at + BLOCK], lower.input_shape[1:]))
                for at in Progress(starts, desc=f"embed@{key} {split}", unit="block")
            ]
            arrays.write(folder, **{f"{split}_features": np.concatenate(features), f"{split}_labels": labels[:limit]})
        arrays.write_classes(folder, arrays.read_classes(arrays.DATA / spec.images))
    print(f"{folder}: {lower.output_shape[1]} numbers an image, from {spec.model}.{spec.layer}")


if __name__ == "__main__":
    params.run(main)
