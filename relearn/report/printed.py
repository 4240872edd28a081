"""printed.yaml: what the books printed, and which metric of ours reproduces it."""

from pathlib import Path
from typing import Any

from relearn.checks import wording
from relearn.params.base import Block
from relearn.params.transfer import Transfer
from relearn.params.whole import Params

FILE = Path("printed.yaml")
WITH_METRICS = ("augment", "describe", "train", "learning_curve", "classify", "tune", "finetune", "style_transfer", "transfer")


class Row(Block):
    """A line of the report's first table: a printed number beside the metric that reproduces it."""

    id: str
    what: str
    metric: str
    printed: float | None  # None: ours only
    printed_error: float | None = None
    printed_with: str | None = None  # the book's backbone
    detail: bool = False


class Printed(Block):
    """The whole file."""

    rows: list[Row]


def load(params: Params, path: Path = FILE) -> list[Row]:
    """The printed numbers of the experiments that `params` has; ParamsError with a line for each mistake in the file."""
    known = metric_files(params)
    return [row for row in read(path) if row.metric.rpartition(".")[0] in known]


def read(path: Path = FILE) -> list[Row]:
    """All printed numbers, also those whose experiments have been taken out."""
    return wording.validated(path, Printed).rows


def metric_files(params: Params) -> set[str]:
    """Names under metrics/ that the experiments write, without .json."""
    files = {f"{name}/{key}" for name in WITH_METRICS for key in getattr(params, name)}
    files |= {f"evaluate/{key}" for key in [*params.train, *params.transfer]} | {f"gather/{key}" for key in params.datasets}
    files |= {f"finetune/{key}" for key in params.repeat}
    return files | ({"one_vs_rest"} if params.one_vs_rest else set())


def backbone_of(params: Params, metric: str) -> str | None:
    """Architecture of the backbone behind a metric (`evaluate/head_adam.accuracy`); None without one."""
    key = metric.partition("/")[2].partition(".")[0]
    spec: Any = params.transfer.get(key) or params.train.get(key) or params.tune.get(key) or params.classify.get(key)
    if isinstance(spec, Transfer):
        return params.backbones[params.datasets[spec.images].backbone].architecture if spec.images in params.datasets else None
    images = getattr(spec, "images", None) or getattr(spec, "features", "")
    embed = params.embed.get(str(images).removeprefix("embeddings/"))
    kind, _, name = embed.model.partition("/") if embed else ("", "", "")
    return params.backbones[name].architecture if kind == "backbones" else None
