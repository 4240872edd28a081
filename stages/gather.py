"""Make a data set of photographs in class folders, scaled to one side and split into training and test images.

    python -m stages.gather flowers17

Reads  params datasets.<key>; its folder or archive, as it stands or in DATASETS_DIR
Writes data/<key>/{train,test}_{images,labels}.npy, classes.json, files.json (each row's file), and holdout.json where the
       last training images are a validation split; plots/gather/<key>.png, metrics/gather/<key>.json
"""

import hashlib
import math
import os
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np

from relearn import checks
from relearn.data import arrays, records
from relearn.params.photos import PhotoSet
from relearn.photos import albums, photographs, splits
from relearn.photos.albums import Album
from relearn.photos.splits import Digests, Unit
from relearn.process import atomic, command, timings
from relearn.process.progress import Progress

BLOCK = 500
NAMED = 10  # unreadable files that are named one by one


def main(key: str) -> None:
    settings = checks.load()
    spec: PhotoSet = settings.experiment("datasets", key)
    with timings.stage(f"gather@{key}", settings.scale):
        album = albums.open_album(spec)
        arrays.DATA.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=arrays.DATA) as scratch:
            shape = (len(album.photos), spec.side, spec.side, 3)
            if hasattr(os, "posix_fallocate"):  # a full disk is an error here, a bus error in a map
                os.posix_fallocate(scratch.fileno(), 0, math.prod(shape))
            scratch.truncate(math.prod(shape))
            pixels = np.memmap(scratch, np.uint8, "r+", shape=shape)
            digests = read(album, spec, pixels, f"gather@{key}")
            kept = splits.without_copies(album, digests)
            doubtful = splits.in_two_classes(album, digests)
            sides = splits.of_album(album, spec, kept, digests, settings.seed)
            write(arrays.DATA / key, album, sides, pixels)
        metrics = {f"{side}_images": sum(map(len, parts)) for side, parts in sides.items()} | {
            "classes": len(album.classes),
            "unreadable": len(album.photos) - len(digests),
            "identical": len(digests) - len(kept) - len(doubtful),
            "in_two_classes": len(doubtful),
            "ignored": album.ignored,
            "groups_kept_together": sum(len(part) > 1 for parts in sides.values() for part in parts),
        }
        if album.scored:
            print(f"  there is no test split: {album.scored} is scored")
            metrics["scored_validation_images"] = metrics["test_images"]
        sheet(key, Path(f"plots/gather/{key}.png"))
        records.write_json(Path(f"metrics/gather/{key}.json"), metrics)
    print(f"{arrays.DATA / key}:", ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in metrics.items()))


def read(album: Album, spec: PhotoSet, pixels: np.ndarray, label: str) -> Digests:
    """Puts every readable photograph into `pixels` (N x side x side x 3) and gives its digests; names the others."""
    digests: Digests = {}
    problems = 0
    try:
        for place, content in Progress(album.contents(), total=len(album.photos), desc=label, unit="file"):
            try:
                data = content()
                image = photographs.read_image(data, album.photos[place].path, spec.side)
            except ValueError as error:
                problems += 1
                if problems <= NAMED:
                    print(f"  left out: {photographs.shown(str(error))}", flush=True)
                continue
            pixels[place] = photographs.fit(image, spec.side, spec.fit)
            picture = hashlib.sha256(repr(image.shape).encode())
            picture.update(image.data)
            digests[place] = (hashlib.sha256(data).digest(), picture.digest())
    except KeyboardInterrupt:
        done = f"{len(digests) + problems:,} of {len(album.photos):,} files"
        sys.exit(f"\n{label}: stopped after {done}; the same command begins anew")
    if problems > NAMED:
        print(f"  left out: {problems - NAMED} more files that cannot be read")
    return digests


def write(folder: Path, album: Album, sides: dict[str, list[Unit]], pixels: np.ndarray) -> None:
    """The data set, each split's rows in the order of its units; `train_groups` numbers the unit of each row.

    The validation split is the end of the training images, as a holdout is; holdout.json says how many these are.
    """
    files: dict[str, list[str] | list[int]] = {}
    validation = sides.get("validation", [])
    for side, parts in (("train", sides["train"] + validation), ("test", sides["test"])):
        rows = [row for part in parts for row in part]
        starts = range(0, len(rows), BLOCK)
        blocks = (pixels[rows[start : start + BLOCK]] for start in starts)
        arrays.write_blocks(folder / f"{side}_images.npy", (len(rows), *pixels.shape[1:]), blocks)
        arrays.write(folder, **{f"{side}_labels": np.array([album.photos[row].label for row in rows], np.uint8)})
        files[side] = [album.photos[row].path for row in rows]
        files[f"{side}_groups"] = [group for group, part in enumerate(parts) for _ in part]
    arrays.write_classes(folder, album.classes)
    records.write_json(folder / "files.json", files)
    (folder / "holdout.json").unlink(missing_ok=True)  # of an earlier run; DVC would have removed it
    if validation:
        counts = {"holdout_images": sum(map(len, validation)), "train_images": len(files["train"])}
        with atomic.replacing(folder / "holdout.json") as partial:  # every stage beside this one looks for it
            records.write_json(partial, counts)


def sheet(key: str, path: Path) -> None:
    """A contact sheet of the first training images of each class."""
    images, labels = arrays.open_dataset(key, "train")
    places = {name: np.flatnonzero(labels == label) for label, name in enumerate(arrays.read_classes(arrays.DATA / key))}
    photographs.contact_sheet({name: list(images[rows[: photographs.SHEET_COLUMNS]]) for name, rows in places.items()}, path)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command.run(main)
