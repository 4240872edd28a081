"""What results/book has of a measure: its value in each training, and the images or epochs behind each."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relearn.claims import kept
from relearn.claims.schema import Claim
from relearn.data import records

MEASURE = re.compile(r"(?P<file>[\w/]+)\.(?P<column>\w+)(?:\[(?P<first>\d+)(?::(?P<last>\d+))?\])?")
SAME = 1e-5  # metrics have six decimals

Training = tuple[int, ...]  # its seed; or its seed and its repeat


@dataclass(frozen=True)
class Share:
    """A share of `images`.

    right: where it is kept, which were classified correctly, bool (N). identity: the same for shares of the same images.
    """

    value: float
    images: int
    right: np.ndarray | None = None
    identity: str = ""


@dataclass(frozen=True)
class Numbers:
    """A measure in every training, and by seed the share of images that it is, if it is one."""

    trainings: dict[Training, float] = field(default_factory=dict)
    behind: dict[int, Share] = field(default_factory=dict)
    note: str = ""
    shared: bool = False  # all start from one network

    @property
    def n(self) -> int:
        return len(self.trainings)

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.trainings.values())))

    @property
    def deviation(self) -> float:
        """Standard deviation over the trainings; needs two."""
        return float(np.std(list(self.trainings.values()), ddof=1))


def read(results: Path, measure: str, claim: Claim) -> Numbers:
    """The numbers of a measure of `claim`, none where it was not run. ValueError for what a file should have and has not."""
    parts = MEASURE.fullmatch(measure)
    if parts is None:
        raise ValueError(f"{measure!r} is no measure")
    file, column = parts["file"], parts["column"]
    if file.startswith("history/"):
        return of_curves(results, file, column, (int(parts["first"]), int(parts["last"] or parts["first"])), claim)
    found: dict[int, dict[str, Any]] = {}
    for seed, path in kept.files(f"metrics/{file}.json", results).items():
        record = records.read_json(path)
        if column not in record:
            raise ValueError(f"{path}: has no {column!r}; it has {', '.join(record)}")
        if record[column] is not None:
            found[seed] = record
    shared = kept.share_a_start(file, results)
    if shared and len(found) > 1:
        means: dict[Training, float] = {(seed,): float(record[column]) for seed, record in found.items()}
        return Numbers(means, note="each training is the mean of a seed's repeats")
    numbers = Numbers(
        note="repeats from one network: from two seeds on the mean of each counts once" if shared else "", shared=shared
    )
    folders = kept.seeds(results)
    for seed, record in found.items():
        folder = folders[seed]
        if record.get("repeats", 1) > 1:
            each = repeats(folder / f"plots/{file}.csv", column)
            numbers.trainings.update({(seed, repeat): value for repeat, value in each.items()})
            continue
        share = share_of(folder, file, column, record, claim.images)
        numbers.trainings[(seed,)] = share.value if share else float(record[column])
        if share:
            numbers.behind[seed] = share
    return numbers


def repeats(path: Path, column: str) -> dict[int, float]:
    """A value for each repeat of `finetune` or `learning_curve`."""
    table = pd.read_csv(path)
    if "images" in table:  # of `learning_curve`: accuracy_300, or accuracy for the most
        column, _, count = column.partition("_")
        table = table[table["images"] == (int(count) if count else table["images"].max())]
    return dict(zip(table["repeat"].tolist(), table[column].tolist(), strict=True))


def share_of(folder: Path, file: str, column: str, record: dict[str, Any], images: int | None) -> Share | None:
    """The share that a metric is, with its images where they are known; None for another number."""
    value = record[column]
    if isinstance(value, int) and images:
        return Share(value / images, images)
    if not column.startswith(("accuracy", "train_accuracy")):
        return None
    answers = folder / f"plots/confusion/{file.rpartition('/')[2]}.csv"
    if file.startswith(("evaluate/", "one_vs_rest")) and column.startswith("accuracy") and answers.is_file():
        table = pd.read_csv(answers, dtype=str, keep_default_na=False)
        name = column.removeprefix("accuracy").removeprefix("_")
        rows = table[table["actual"] == name] if name else table
        right = (rows["actual"] == rows["predicted"]).to_numpy()
        if len(rows):
            if abs(right.mean() - value) > SAME:
                raise ValueError(f"{answers}: is of another run than metrics/{file}.json: {right.mean():.6f}, {value:.6f}")
            return Share(value, len(rows), right, f"{name} of {' '.join(table['actual'])}")
    whole = column in ("accuracy", "train_accuracy") or file.startswith("classify/")
    names = ("train_images",) if column.startswith("train_") else ("images", "test_images")
    known = next((record[name] for name in names if whole and name in record), None)
    return Share(value, count) if (count := images or known) else None


def of_curves(results: Path, file: str, column: str, epochs: tuple[int, int], claim: Claim) -> Numbers:
    """A curve of each training, from the first to the last of `epochs`, made one number by `claim.curve`."""
    numbers = Numbers()
    for seed, path in kept.files(f"plots/{file}.csv", results).items():
        table = pd.read_csv(path)
        if column not in table:
            raise ValueError(f"{path}: has no {column!r}; it has {', '.join(map(str, table))}")
        chosen = table["epoch"].between(*epochs)
        if chosen.sum() != epochs[1] - epochs[0] + 1:
            raise ValueError(f"{path}: has epochs 1 to {table['epoch'].max()}, not {epochs[0]} to {epochs[1]}")
        values = table[column].diff().abs()[chosen].dropna() if claim.curve == "step" else table[column][chosen]
        if claim.curve == "slope":
            numbers.trainings[(seed,)] = float(np.polyfit(table["epoch"][chosen], values, 1)[0])
            continue
        numbers.trainings[(seed,)] = float(values.mean())
        if len(values) == 1 and claim.images:
            numbers.behind[seed] = Share(float(values.iloc[0]), claim.images)
    return numbers


def of_confusions(results: Path, measure: str, pairs: Sequence[str], images: int | None) -> dict[str, Numbers]:
    """How often each digit is taken for each other ("3 as 5"), as a share of the true class; none where it was not run.

    measure: `classify/embedded.random_forest`, a table of plots/ and a classifier. ValueError for one that has not all `pairs`.
    """
    file, _, classifier = measure.partition(".")
    confusions: dict[str, Numbers] = defaultdict(Numbers)
    for seed, path in kept.files(f"plots/{file}.csv", results).items():
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table = table[(table["classifier"] == classifier) & (table["actual"] != table["predicted"])]
        shares = dict(zip(table["actual"] + " as " + table["predicted"], table["percent"].astype(float) / 100, strict=True))
        if missing := [pair for pair in pairs if pair not in shares]:
            raise ValueError(f"{path}: {classifier} has no {', '.join(missing)}")
        for pair, share in shares.items():
            confusions[pair].trainings[(seed,)] = share
            if images:
                confusions[pair].behind[seed] = Share(share, images)
    return confusions
