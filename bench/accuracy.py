"""Accuracy: paired trainings of the multiclass experiment in bfloat16 and in float32, seed for seed."""

import os
from collections.abc import Mapping, Sequence
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
SEEDS = 3


def measure(scale: Scale = "quick") -> dict[str, Any]:
    """Accuracies of each pair, the mean difference (bfloat16 less float32) and its standard error."""
    if compute.precision(workplaces.settings().compute) == "float32":
        return {"left_out": "this processor has no bfloat16 products: all is float32"}
    with workplaces.with_params(lambda settings: settings.update(scale=scale)) as folder:
        trials.apart(relabelled, folder)
        pairs = []
        for repeat in range(SEEDS):
            pair = tuple(trials.apart(trained, folder, precision, repeat) for precision in ("bfloat16", "float32"))
            print(f"  {KEY}, seed {repeat + 1} of {SEEDS}: bfloat16 {pair[0]:.4f}, float32 {pair[1]:.4f}", flush=True)
            pairs.append(pair)
    return {"scale": scale} | compared(pairs)


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


def table(figures: Mapping[str, Any]) -> list[Row]:
    if "left_out" in figures:
        return [Row("accuracy of bfloat16", "float32", figures["left_out"])]
    figure = f"{figures['bfloat16']:.4f}, {figures['difference']:+.4f} ± {figures['standard_error']:.4f}"
    what = f"accuracy, multiclass at scale {figures['scale']}, n={figures['seeds']} pairs, bfloat16"
    if figures["scale"] != "book":
        what += " (far from trained: only an alarm)"
    return [Row(what, f"float32: {figures['float32']:.4f}", figure, "none lost")]


def relabelled(folder: Path) -> None:
    """Makes, in `folder`, the view that is trained on."""
    from stages import relabel

    os.chdir(folder)
    Path("data").mkdir()
    Path("data/cifar10").symlink_to(workplaces.CIFAR10)
    relabel.main(checks.load().train[KEY].labels)


def trained(folder: Path, precision: str, repeat: int) -> float:
    """Accuracy on the scored test images of a training whose seed depends on `repeat` alone."""
    from relearn.data import arrays
    from relearn.networks import nets
    from relearn.training import fit
    from relearn.training.train import train

    os.chdir(folder)
    settings = checks.load()
    spec = settings.train[KEY]
    machine = compute.configure(settings.compute.model_copy(update={"precision": precision}))
    view = arrays.open_view(spec.images, spec.labels)
    parts = view.parts(spec.validation, spec.holdout)
    seed = seeds.derive(settings.seed, "bench", repeat)
    model = nets.for_data(settings.nets[spec.net], spec, parts.train, len(view.classes), seed)
    train(model, spec, parts[:2], seed, machine, KEY)
    return scores.accuracy(parts.score.labels, fit.predict(model, parts.score).argmax(axis=1))
