"""Classify pictures with a trained network or a backbone: the best classes with their scores, one line each.

    python -m tools.predict cifar_deeper_augmented cat.jpg dog.jpg
    python -m tools.predict lite0 skimage:chelsea cifar10:train:1 --top 5 --plot plots/named.png --json named.json
    python -m tools.predict lite0 cat.jpg --layer block_5c_out --out features.npy

Reads  params; models/<model>.keras and the names of its classes; files, pictures that scikit-image and scikit-learn
       ship (skimage:chelsea, sklearn:china.jpg), rows of data sets (cifar10:train:1)
Writes what --plot, --json and --out name

A picture that cannot be read gets a line on standard error, the others are classified, and the exit status is 1.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from relearn import checks
from relearn.painting import charts, naming
from relearn.painting.naming import Namer, Picture
from relearn.photos import photographs
from relearn.process import command
from relearn.training import compute


def main(arguments: list[str] | None = None) -> None:
    parser = command.parser()
    parser.add_argument("model", help="a backbone, training or transfer of params.yaml")
    parser.add_argument("pictures", nargs="+", help="files, skimage:<name>, sklearn:<name> or <data set>:<split>:<row>")
    parser.add_argument("--top", type=int, default=5, help="how many classes are shown (5)")
    parser.add_argument("--plot", type=command.path, help=f"write a PNG of the first {charts.PLOTTED} pictures and their scores")
    parser.add_argument("--json", type=command.path, help="write the best classes")
    parser.add_argument("--layer", help="take features out of this layer; needs --out")
    parser.add_argument("--out", type=command.path, help="where the features go, float32 .npy")
    options = parser.parse_args(arguments)
    if options.top < 1:
        parser.error("--top: at least 1")
    if (options.layer is None) != (options.out is None):
        parser.error("--layer and --out go together")
    with command.told():
        settings = checks.load()
        compute.configure_float32(settings.compute)
        namer = naming.load(settings, options.model)
        pictures = read(options.pictures, namer)
        if pictures:
            answer(namer, pictures, options)
    if len(pictures) < len(options.pictures):
        sys.exit(1)


def read(names: list[str], namer: Namer) -> list[Picture]:
    """The pictures that can be read, no larger than needed; a line on standard error for each other one."""
    pictures = []
    for name in names:
        try:
            pictures.append(naming.open_picture(name, namer))
        except (ValueError, OSError) as error:
            print(f"error: {photographs.shown(str(error))}", file=sys.stderr, flush=True)
    return pictures


def answer(namer: Namer, pictures: list[Picture], options: argparse.Namespace) -> None:
    """Prints and writes what was asked for."""
    pixels = np.stack([picture.pixels for picture in pictures])
    if options.layer:
        features = namer.features(pixels, options.layer)
        with opened(options.out).open("wb") as stream:
            np.save(stream, features, allow_pickle=False)
        print(f"{options.out}: {' x '.join(map(str, features.shape))} features of {options.layer}")
    if not namer.classes:
        if not options.layer:
            raise ValueError(f"{namer.name}: has no classes; it gives features: --layer <name> --out <file>.npy")
        return
    scores = namer.scores(pixels)
    best = [naming.top(row, namer.classes, options.top) for row in scores]
    for line in naming.lines(pictures, best):
        print(line)
    if options.json:
        opened(options.json).write_text(json.dumps(naming.listed(pictures, best), indent=2) + "\n")
    if options.plot:
        charts.named([(picture.name, picture.shown) for picture in pictures], best, scores, opened(options.plot))


def opened(path: Path) -> Path:
    """`path`, after creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    main()
