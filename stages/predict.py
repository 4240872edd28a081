"""Classify the pictures of a block with a trained network or a backbone, for the report.

    python -m stages.predict photographs

Reads  params predict.<key>; models/<model>.keras and the names of its classes, data/cifar10
Writes plots/predict/<key>.json (the best classes), plots/predict/<key>.webp (all scores)
"""

import json
from pathlib import Path

import numpy as np

from relearn import checks
from relearn.painting import charts, naming
from relearn.params.reporting import Predict
from relearn.process import command, timings
from relearn.training import compute

TOP = 5
FOLDER = Path("plots/predict")


def main(key: str) -> None:
    settings = checks.load()
    spec: Predict = settings.experiment("predict", key)
    with timings.stage(f"predict@{key}", settings.scale):
        compute.configure_float32(settings.compute)
        namer = naming.load(settings, spec.model)
        pictures = [naming.open_picture(name, namer) for name in spec.pictures]
        scores = namer.scores(np.stack([picture.pixels for picture in pictures]))
        best = [naming.top(row, namer.classes, TOP) for row in scores]
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{key}.json").write_text(json.dumps(naming.listed(pictures, best), indent=2) + "\n")
        charts.named([(picture.name, picture.shown) for picture in pictures], best, scores, FOLDER / f"{key}.webp")
    for line in naming.lines(pictures, best):
        print(line)


if __name__ == "__main__":
    command.run(main)
