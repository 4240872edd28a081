"""Accuracy: paired trainings of the multiclass experiment in bfloat16 and in float32, seed for seed."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import sem

from bench.lib import trials, workplaces
from bench.lib.rows import Row
from relearn import checks
from relearn.data import seeds
from relearn.params.base import Scale
from relearn.scoring import scores
from relearn.training import compute

KEY = "multiclass"


@dataclass(frozen=True)
class Size:
    scale: Scale
    seeds: int


FULL = Size("quick", 3)


def measure(size: Size = FULL) -> dict[str, Any]:
    """Accuracies of each pair, the mean difference (bfloat16 less float32) and its standard error."""
    if compute.precision(checks.load(workplaces.ROOT / "params.yaml").compute) == "float32":
        return {"left_out": "this processor has no bfloat16 products: all is float32"}
    with workplaces.made(lambda settings: settings.update(scale=size.scale)) as folder:
        workplaces.run(folder, "relabel", checks.load(folder / "params.yaml").train[KEY].labels)
        pairs = []
        for repeat in range(size.seeds):
            pair = tuple(trials.apart(trained, folder, precision, repeat) for precision in ("bfloat16", "float32"))
            print(f"  {KEY}, seed {repeat + 1} of {size.seeds}: bfloat16 {pair[0]:.4f}, float32 {pair[1]:.4f}", flush=True)
            pairs.append(pair)
    return {"scale": size.scale} | compared(pairs)


def compared(pairs: Sequence[tuple[float, ...]]) -> dict[str, Any]:
    """The pairs' mean accuracies, mean difference and its standard error."""
    differences = [ours - theirs for ours, theirs in pairs]
    return {
        "seeds": len(pairs),
        "bfloat16": float(np.mean([pair[0] for pair in pairs])),
        "float32": float(np.mean([pair[1] for pair in pairs])),
        "difference": float(np.mean(differences)),
        "standard_error": float(sem(differences)),
        "pairs": [list(pair) for pair in pairs],
    }


def table(found: Mapping[str, Any]) -> list[Row]:
    if "left_out" in found:
        return [Row("accuracy of bfloat16", "float32", found["left_out"])]
    figure = f"{found['bfloat16']:.4f}, {found['difference']:+.4f} ± {found['standard_error']:.4f}"
    what = f"accuracy, multiclass at scale {found['scale']}, n={found['seeds']} pairs, bfloat16"
    if found["scale"] != "book":
        what += " (far from trained: only an alarm)"
    return [Row(what, f"float32: {found['float32']:.4f}", figure, "none lost")]


def trained(folder: Path, precision: str, repeat: int) -> float:
    """Accuracy on the scored test images of a training whose seed depends on `repeat` alone."""
    from relearn.data import arrays
    from relearn.networks import nets
    from relearn.training import fit

    os.chdir(folder)
    settings = checks.load()
    spec = settings.train[KEY]
    compute.configure(settings.compute.model_copy(update={"precision": precision}))
    view = arrays.open_view(spec.images, spec.labels)
    train, validation, score = view.parts(spec.validation, spec.holdout)
    seed = seeds.derive(settings.seed, "bench", repeat)
    model = nets.build(settings.nets[spec.net], train.image_shape, len(view.classes), seed, nets.front(spec, train))
    with tempfile.TemporaryDirectory() as state:
        fit.run(nets.trainer(model, spec, len(train)), train, validation, spec, seed, Path(state), KEY)
    return scores.accuracy(score.labels, fit.predict(model, score).argmax(axis=1))
