"""results/book: what is kept of runs at the books' own protocols, by seed, and its numbers.

results/book/seed_14/ has metrics/ and plots/ as a run has them, of photographs without their pictures; the params.yaml and
dvc.lock they come from; and runs.json, which says of each stage on what it ran. What a second processor gave is in
seed_14-<processor>/, to compare; no table is made from it.
"""

import functools
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ruamel.yaml import YAML

from relearn.data import records
from relearn.params import whole
from relearn.params.whole import Params

BOOK = Path("results/book")
RUNS = "runs.json"


class Value(NamedTuple):
    """A metric: its mean over n trainings and the standard error of that; neither for n = 0, no error for one training."""

    mean: float | None = None
    error: float | None = None
    n: int = 0


def seeds(book: Path = BOOK) -> dict[int, Path]:
    """The folder of each seed."""
    found = {int(match[1]): path for path in book.glob("seed_*") if (match := re.fullmatch(r"seed_(\d+)", path.name))}
    return dict(sorted(found.items()))


def files(name: str, book: Path = BOOK) -> dict[int, Path]:
    """`metrics/evaluate/lenet.json` of each seed that has it."""
    return {seed: folder / name for seed, folder in seeds(book).items() if (folder / name).is_file()}


def at_scale(folder: Path, scale: str = "book") -> Params:
    """The parameters of the pipeline in `folder` at a scale that need not be the one in force."""
    raw = whole.read(folder / whole.FILE) | {"scale": scale}
    return whole.with_recipes(Params.model_validate(whole.resolved(raw, scale)))


def runs(folder: Path) -> dict[str, dict[str, Any]]:
    """What runs.json says of each stage: processor, precision, threads, versions, seconds (null: taken from DVC's cache)."""
    return records.read_json(folder / RUNS) if (folder / RUNS).is_file() else {}


def share_a_start(name: str, book: Path = BOOK) -> bool:
    """Whether all repeats of a seed of `finetune/freeze_all` start from the same network: then each seed's mean counts once."""
    kind, _, key = name.partition("/")
    return kind == "finetune" and any(key in fine_tuned(path.read_text()) for path in files(whole.FILE.name, book).values())


@functools.cache
def fine_tuned(text: str) -> frozenset[str]:
    """The networks that a params.yaml fine-tunes; `repeat`, whose results are beside theirs, begins each from scratch."""
    return frozenset((YAML(typ="safe", pure=True).load(text) or {}).get("finetune") or {})


def value(metric: str, book: Path = BOOK) -> Value:
    """The value of `evaluate/lenet.accuracy`, over all seeds, and over the repeats within them where each is independent."""
    name, _, column = metric.rpartition(".")
    kept = [record for path in files(f"metrics/{name}.json", book).values() if column in (record := records.read_json(path))]
    means = [record[column] for record in kept]
    error = f"standard_error{column.removeprefix('accuracy')}"  # accuracy_300 has standard_error_300
    alone = len(kept) == 1 or not share_a_start(name, book)
    if kept and error in kept[0] and column.startswith("accuracy") and alone:
        return pooled(means, [record[error] or 0.0 for record in kept], [record["repeats"] for record in kept])
    if len(means) > 1 and None not in means:
        deviation = float(np.std(means, ddof=1)) / math.sqrt(len(means))
        changes = len(set(means)) > 1  # by the seed, which parameters do not; their deviation may be 1e-17
        return Value(float(np.mean(means)), deviation if changes else None, len(means))
    return Value(means[0], None, kept[0].get("repeats", 1)) if means else Value()


def pooled(means: Sequence[float], errors: Sequence[float], counts: Sequence[int]) -> Value:
    """Mean and standard error of several groups of trainings put together, from those of each group and its size."""
    n = sum(counts)
    mean = float(np.average(means, weights=counts))
    if n == 1:
        return Value(mean, None, 1)
    squares = sum(
        count * (count - 1) * error**2 + count * (each - mean) ** 2
        for each, error, count in zip(means, errors, counts, strict=True)
    )
    return Value(mean, math.sqrt(squares / (n - 1) / n), n)
