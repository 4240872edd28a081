"""Classify pictures with a trained network or a backbone: the best classes with their scores, one line each.

    python -m tools.predict cifar_deeper_augmented cat.jpg dog.jpg
    python -m tools.predict lite0 skimage:chelsea cifar10:train:1 --top 5 --plot plots/named.png --json named.json
    python -m tools.predict lite0 holiday/ --csv > named.csv
    python -m tools.predict lite0 cat.jpg --layer block_5c_out --out features.npy

Reads  params; models/<model>.keras and the names of its classes; files, all files of folders, pictures that scikit-image and
       scikit-learn ship (skimage:chelsea, sklearn:china.jpg), rows of data sets (cifar10:train:1)
Writes what --plot, --json and --out name

A picture that cannot be read gets a line on standard error, the others are classified, and the exit status is 1. With --csv,
or --json -, nothing else is on standard output. Of any number of pictures a few at a time are in memory.
"""

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from relearn import checks
from relearn.data import containers
from relearn.painting import charts, naming
from relearn.painting.naming import Best, Namer, Picture
from relearn.photos import photographs
from relearn.process import command
from relearn.process.progress import Progress
from relearn.training import compute

STDOUT = Path("-")


def main(arguments: list[str] | None = None) -> None:
    parser = command.parser()
    parser.add_argument("model", help="a backbone, training or transfer of params.yaml")
    parser.add_argument(
        "pictures",
        nargs="+",
        type=os.path.expanduser,
        help="files, folders, skimage:<name>, sklearn:<name>, <data set>:<split>:<row>",
    )
    parser.add_argument("--top", type=int, default=5, help="how many classes are shown (5)")
    parser.add_argument("--plot", type=command.path, help=f"write a PNG of the first {charts.PLOTTED} pictures and their scores")
    parser.add_argument("--json", type=command.path, help="write the best classes; - is standard output")
    parser.add_argument("--csv", action="store_true", help="print the best classes as CSV")
    parser.add_argument("--layer", help="take features out of this layer; needs --out")
    parser.add_argument("--out", type=command.path, help="where the features go, float32 .npy")
    options = parser.parse_args(arguments)
    if options.top < 1:
        parser.error("--top: at least 1")
    if (options.layer is None) != (options.out is None):
        parser.error("--layer and --out go together")
    if options.csv and options.json == STDOUT:
        parser.error("--csv and --json - would both be on standard output")
    with command.told():
        settings = checks.load()
        compute.configure_float32(settings.compute)
        namer = naming.load(settings, options.model)
        if not (namer.classes or options.layer):
            raise ValueError(f"{namer.name}: has no classes; it gives features: --layer <name> --out <file>.npy")
        names = [name for given in options.pictures for name in files(given)]
        answers = Answers(namer, options)
        for pictures in several(names, namer):
            answers.add(pictures)
        answers.write()
    if answers.count < len(names):
        sys.exit(1)


def files(given: str) -> Iterator[str]:
    """The names of all files in a folder, and below it, but for those of file managers; any other name as it is."""
    if not Path(given).is_dir():
        yield given
        return
    inside = [entry.path for entry in containers.entries(Path(given)) if entry.kind == "file"]
    yield from (str(Path(given, path)) for path in inside) if inside else [given]


def several(names: Sequence[str], namer: Namer) -> Iterator[list[Picture]]:
    """The pictures that can be read, as many at a time as the network takes; a line on standard error for each other one."""
    pictures = []
    for name in Progress(names, desc=namer.name, unit="picture", disable=len(names) <= naming.BATCH):
        try:
            if Path(name).is_dir():
                raise ValueError(f"{name}: is a folder without files")
            pictures.append(naming.open_picture(name, namer))
        except (ValueError, OSError) as error:
            print(f"error: {photographs.shown(str(error))}", file=sys.stderr, flush=True)
        if len(pictures) == naming.BATCH:
            yield pictures
            pictures = []
    if pictures:
        yield pictures


@dataclass
class Answers:
    """What the network says of pictures: printed as they come, kept as far as it is written in the end."""

    namer: Namer
    options: argparse.Namespace
    count: int = 0
    features: list[np.ndarray] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)
    plotted: list[tuple[Picture, Best, np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.options.csv and self.namer.classes:
            print("file,rank,index,class,score", flush=True)

    def add(self, pictures: list[Picture]) -> None:
        pixels = np.stack([picture.pixels for picture in pictures])
        if self.options.layer:
            self.features.append(self.namer.features(pixels, self.options.layer))
        if self.namer.classes:
            scores = self.namer.scores(pixels)
            best = [naming.top(row, self.namer.classes, self.options.top) for row in scores]
            self.print(pictures, best)
            if self.options.json:
                self.listed += naming.listed(pictures, best)
            if self.options.plot:
                self.plotted += list(zip(pictures, best, scores, strict=True))[: charts.PLOTTED - len(self.plotted)]
        self.count += len(pictures)

    def print(self, pictures: list[Picture], best: list[Best]) -> None:
        """Lines for people, or rows of CSV; neither where standard output gets JSON."""
        if self.options.csv:
            table = csv.writer(sys.stdout, lineterminator="\n")
            for answer in naming.listed(pictures, best):
                name = answer["file"].encode("utf-8", "backslashreplace").decode()  # any bytes may be a file's name
                for rank, row in enumerate(answer["top"], 1):
                    table.writerow((name, rank, row["index"], row["name"], f"{row['score']:.6f}"))
            sys.stdout.flush()
        elif self.options.json != STDOUT:
            print("\n".join(naming.lines(pictures, best)), flush=True)

    def write(self) -> None:
        """Writes what was asked for, of all pictures; when none could be read no file, and on standard output an empty list."""
        if self.features:
            features = np.concatenate(self.features)
            with opened(self.options.out).open("wb") as stream:
                np.save(stream, features, allow_pickle=False)
            shape = " x ".join(map(str, features.shape))
            quiet = self.options.csv or self.options.json == STDOUT
            print(f"{self.options.out}: {shape} features of {self.options.layer}", file=sys.stderr if quiet else sys.stdout)
        text = json.dumps(self.listed, indent=2)
        if self.options.json == STDOUT:
            print(text)
        elif self.listed:
            opened(self.options.json).write_text(text + "\n")
        if self.plotted:
            pictures, best, scores = zip(*self.plotted, strict=True)
            named = [(picture.name, picture.shown) for picture in pictures]
            charts.named(named, list(best), np.stack(scores), opened(self.options.plot))


def opened(path: Path) -> Path:
    """`path`, after creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    main()
