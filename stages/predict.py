"""Name pictures by a trained network or a backbone: the best classes with their scores, one line each.

    python -m stages.predict cifar_deeper_augmented cat.jpg dog.jpg
    python -m stages.predict lite0 skimage:chelsea cifar10:train:1 --top 5 --plot plots/named.png --json named.json
    python -m stages.predict lite0 cat.jpg --layer block_5c_out --out features.npy
    python -m stages.predict photographs          (model and pictures of the block predict.photographs)

Reads  models/<model>.keras and the names of its classes; files, pictures that scikit-image and scikit-learn
       ship (skimage:chelsea, sklearn:china.jpg), rows of data sets (cifar10:train:1)
Writes what --plot, --json and --out name

A picture that cannot be read gets a line on standard error, the others are named, and the exit status is 1.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.lib import charts, command, compute, naming, params, photographs, timings


class Picture(NamedTuple):
    """A picture as the network gets it and as a chart shows it, both uint8 H x W x 3."""

    name: str
    pixels: np.ndarray
    shown: np.ndarray


def main(*arguments: str) -> None:
    wanted = parse(arguments)
    settings = params.load()
    clock: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if not wanted.pictures:
        clock = timings.stage(f"predict@{wanted.model}", settings.scale)
        block = settings.experiment("predict", wanted.model)
        wanted.model, wanted.pictures = block.model, block.pictures
    with clock:
        named(settings, wanted)


def named(settings: params.Params, wanted: argparse.Namespace) -> None:
    """Answers what can be answered; the program ends with status 1 when a picture could not be read."""
    # A few pictures need no speed, and bfloat16 products would show in the scores' third digit.
    compute.configure(settings.compute.model_copy(update={"precision": "float32"}))
    namer = naming.load(settings, wanted.model)
    images = read(wanted.pictures, namer)
    if images:
        answer(namer, images, wanted)
    if len(images) < len(wanted.pictures):
        sys.exit(1)


def parse(arguments: tuple[str, ...]) -> argparse.Namespace:
    """The command line; a wrong one ends the program with its usage."""
    parser = argparse.ArgumentParser("python -m stages.predict", description="Name pictures by a network.")
    parser.add_argument("model", help="a backbone, training or transfer of params.yaml; alone: a block of predict")
    parser.add_argument("pictures", nargs="*", help="files, skimage:<name>, sklearn:<name> or <data set>:<split>:<row>")
    parser.add_argument("--top", type=int, default=5, help="how many classes are told (5)")
    parser.add_argument("--plot", type=Path, help=f"write a PNG of the first {charts.PLOTTED} pictures and their scores")
    parser.add_argument("--json", type=Path, help="write the best classes")
    parser.add_argument("--layer", help="take features out of this layer; needs --out")
    parser.add_argument("--out", type=Path, help="where the features go, float32 .npy")
    wanted = parser.parse_args(arguments)
    if wanted.top < 1:
        parser.error("--top: at least 1")
    if (wanted.layer is None) != (wanted.out is None):
        parser.error("--layer and --out go together")
    return wanted


def read(names: list[str], namer: naming.Namer) -> list[Picture]:
    """The pictures that can be read, no larger than needed; a line on standard error for each other one."""
    images = []
    for name in names:
        try:
            image = photographs.open_any(name)
            images.append(Picture(name, namer.pixels(image), photographs.fit(image, charts.SHOWN_SIDE)))
        except (ValueError, OSError) as error:
            print(f"error: {photographs.shown(str(error))}", file=sys.stderr, flush=True)
    return images


def answer(namer: naming.Namer, images: list[Picture], wanted: argparse.Namespace) -> None:
    """Prints and writes what was asked for."""
    pixels = np.stack([image.pixels for image in images])
    if wanted.layer:
        features = namer.features(pixels, wanted.layer)
        with opened(wanted.out).open("wb") as stream:
            np.save(stream, features, allow_pickle=False)
        print(f"{wanted.out}: {' x '.join(map(str, features.shape))} features of {wanted.layer}")
    if not namer.classes:
        if not wanted.layer:
            raise ValueError(f"{namer.name}: has no classes to name; it gives features: --layer <name> --out <file>.npy")
        return
    scores = namer.scores(pixels)
    best = [naming.top(row, namer.classes, wanted.top) for row in scores]
    for (name, *_), rows in zip(images, best, strict=True):
        for rank, (index, title, score) in enumerate(rows, 1):
            print(f"{photographs.shown(name)}  {rank}  {index} {title}  {score:.4f}")
    if wanted.json:
        listed = [
            {"file": name, "top": [{"index": i, "name": title, "score": round(score, 6)} for i, title, score in rows]}
            for (name, *_), rows in zip(images, best, strict=True)
        ]
        opened(wanted.json).write_text(json.dumps(listed, indent=2) + "\n")
    if wanted.plot:
        charts.named([(image.name, image.shown) for image in images], best, scores, opened(wanted.plot))


def opened(path: Path) -> Path:
    """`path`, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    command.run(main)
