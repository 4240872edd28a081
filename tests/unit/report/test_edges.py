"""Every number that the schema allows gives a page, or one line of `checks` before anything is computed.

The results are made up: those that git holds, changed to what the stages would write with the number at the edge of its
range. Each number of the schema is set at its edge in every block that has it, then in every second one.
"""

import copy
import itertools
import math
import pickle
import shutil
import types
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import annotated_types
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic.fields import FieldInfo

from relearn import checks
from relearn.checks import blocks, references, shapes
from relearn.data import records
from relearn.params import whole
from relearn.params.base import Block
from relearn.params.whole import Params
from relearn.report import figures
from stages import collect, report
from tests.conftest import ROOT

MANY, LARGE = 10**6, 1e6  # where the schema has no upper bound
TINY = 1e-9  # of a share, of which no image is
ROWS = 3  # at most, of what grows with a number
# Fields by which results have other columns, rows or undefined values.
SHAPING = ("epochs", "holdout", "validation", "repeats", "counts", "test_images", "units", "images", "steps", "limit", "gallery")
NAMES = tuple(name for name, value in vars(figures).items() if isinstance(value, types.FunctionType) and name[0] != "_")
DRAWN: dict[bytes, Any] = {}


def edges(hint: Any, limits: tuple[Any, ...] = ()) -> list[Any]:
    """The lowest and the highest values that a type hint with its limits allows, and of numbers from 0 on the least above;
    none where it is no number."""
    if typing.get_origin(hint) is Annotated:
        inner, *more = typing.get_args(hint)
        return edges(inner, (*limits, *itertools.chain(*(m.metadata if isinstance(m, FieldInfo) else [m] for m in more))))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [edge for member in typing.get_args(hint) for edge in edges(member, limits)]
    if typing.get_origin(hint) is dict:
        return edges(typing.get_args(hint)[1])
    if typing.get_origin(hint) is list:
        least = max([limit.min_length for limit in limits if isinstance(limit, annotated_types.MinLen)], default=1)
        return [[edge] * least for edge in edges(typing.get_args(hint)[0])]
    if hint not in (int, float):
        return []
    step: Any = 1 if hint is int else TINY
    low: Any = 0
    high: Any = MANY if hint is int else LARGE
    for limit in limits:
        low = getattr(limit, "ge", low) if isinstance(limit, annotated_types.Ge) else low
        low = limit.gt + step if isinstance(limit, annotated_types.Gt) else low
        high = getattr(limit, "le", high) if isinstance(limit, annotated_types.Le) else high
        high = limit.lt - step if isinstance(limit, annotated_types.Lt) else high
    return [hint(low), hint(high)] + ([TINY] if hint is float and low == 0 else [])


Place = tuple[str | int, ...]
Values = dict[str, Any]  # what params.yaml says, with all that it leaves to defaults


def spots(node: Any, path: Place = ()) -> Iterator[tuple[Place, list[Any]]]:
    """Every field at and below `node` that may be a number, and its edges."""
    if isinstance(node, Block):
        for name, field in type(node).model_fields.items():
            if ends := edges(field.annotation, tuple(field.metadata)):
                yield (*path, name), ends
            yield from spots(getattr(node, name), (*path, name))
    elif isinstance(node, dict | list):
        children: dict[Any, Any] = node if isinstance(node, dict) else dict(enumerate(node))
        for key, child in children.items():
            yield from spots(child, (*path, key))


def put(values: Values, path: Place, edge: Any) -> None:
    *parents, last = path
    node: Any = values
    for name in parents:
        node = node[name]
    node[last] = dict.fromkeys(node[last], edge) if isinstance(node[last], dict) else edge


def allowed(values: Values) -> Params | None:
    """The parameters with these values, which the schema allows; None when a block or two of them together are refused."""
    written = Params.model_validate(values)
    settings = whole.with_recipes(written)
    return None if [*blocks.mistakes(written), *references.mistakes(settings)] else settings


def changes(params: Params, which: int) -> Iterator[Params]:
    """Numbers at an edge: each that shapes results alone, in all of its blocks and in every second one; then all at once."""
    named: dict[str, list[tuple[Place, Any]]] = {}
    for path, ends in spots(params):
        if which < len(ends):
            named.setdefault(str(path[-1]), []).append((path, ends[which]))
    all_at_once = params.model_dump()
    for name, places in named.items():
        for step in (slice(0, None, 2), slice(None)) if name in SHAPING else [slice(None)]:
            values = params.model_dump() if name in SHAPING else copy.deepcopy(all_at_once)
            for path, edge in places[step]:
                put(values, path, edge)
            settings = allowed(values)
            if settings and name in SHAPING:
                yield settings
            elif settings:
                all_at_once = values
    yield Params.model_validate(all_at_once)


@cache
def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=dict.fromkeys(("actual", "predicted", "class"), str), keep_default_na=False)


class Results:
    """Results in the working folder, made from those in `base` by what the parameters say."""

    def __init__(self, base: Path, params: Params) -> None:
        self.base, self.params = base, params
        for key, fit in params.train.items():
            train, test = (self.images(fit.labels, split) for split in ("train", "test"))
            self.trained("train", key, fit.epochs, train - round(train * (1 - fit.holdout)) if fit.holdout else fit.validation)
            self.scored("evaluate", key, test - fit.validation)
        for key, transfer in params.transfer.items():
            images = params.datasets[transfer.images].limit or 9
            self.trained("transfer", key, transfer.epochs, images - round(images * (1 - transfer.holdout)))
            self.scored("evaluate", key, images)
        for kind, key, spec in [("finetune", *item) for item in [*params.repeat.items(), *params.finetune.items()]]:
            self.repeated(kind, key, spec.repeats, [0])
        for key, curve in params.learning_curve.items():
            self.repeated("learning_curve", key, curve.repeats, curve.counts)
        if params.one_vs_rest:
            self.scored("", "one_vs_rest", self.images(params.one_vs_rest.labels, "test") - params.one_vs_rest.validation)
        for key, search in params.tune.items():
            grid = search.grid.model_dump()
            rows = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
            table = self.table("tune", key)
            self.write(table.iloc[: len(rows)].assign(**pd.DataFrame(rows)), "tune", key)
            self.scored("tune", key, self.images(search.labels, "test"), **rows[0], runs=len(rows))
        for key, classify in params.classify.items():
            table = self.table("classify", key)
            if (classify.test_images or MANY) <= ROWS:
                self.write(table.assign(percent=np.nan), "classify", key)
        for key, layout in params.tsne.items():
            self.write(self.table("tsne", key).head(min(layout.images, 300)), "tsne", key)
        for key, style in params.style_transfer.items():
            self.write(self.table("style", key).head(min(style.steps, ROWS) + 1), "style", key)

    def images(self, labels: str, split: str) -> int:
        view = self.params.relabel[labels]
        return getattr(view, f"{split}_images") or shapes.images_in(self.params, view.images, split) or 0

    def table(self, kind: str, key: str) -> pd.DataFrame:
        return read(self.base / f"plots/{kind}/{key}.csv")

    def write(self, table: pd.DataFrame, kind: str, key: str) -> None:
        records.write_csv(Path(f"plots/{kind}/{key}.csv"), table)

    def record(self, kind: str, key: str, **values: Any) -> dict[str, Any]:
        path = Path("metrics", kind, f"{key}.json")
        record = records.read_json(self.base / path) | values
        records.write_json(path, record)
        return record

    def trained(self, kind: str, key: str, epochs: int, shown: int) -> None:
        """Curves have `val_` columns only where images are shown on them."""
        curves = dict.fromkeys(("val_loss", "val_accuracy", "val_error"), 0.5)
        table = self.table("history", key).head(min(epochs, ROWS)).drop(columns=[*curves], errors="ignore")
        self.write(table.assign(**curves) if shown else table, "history", key)
        record = self.record(kind, key)
        kept = {name: value for name, value in record.items() if name not in curves} | (curves if shown else {})
        records.write_json(Path(f"metrics/{kind}/{key}.json"), kept)

    def scored(self, kind: str, key: str, images: int, **more: Any) -> None:
        """Of a single image, shares and areas that are undefined are NaN, and written as null."""
        record = self.record(kind, key, images=images, **more)
        few = images <= ROWS
        of_a_class = [name for name in record if name.startswith("accuracy_") and name not in ("accuracy_of_one_view",)]
        undefined = [*of_a_class[1:], *({"auc", "auc_hard", "tpr", "fnr", "ppv", "f1", "informedness"} & record.keys())]
        self.record(kind, key, images=images, **more, **(dict.fromkeys(undefined) if few else {}))
        for plot in ("confusion", "roc"):
            path = Path(f"plots/{plot}/{key}.csv")
            if few and path.exists():
                self.write(
                    self.table(plot, key).head(images) if plot == "confusion" else self.table(plot, key).assign(tpr=""), plot, key
                )
            elif path.exists():
                shutil.copyfile(self.base / path, path)

    def repeated(self, kind: str, key: str, repeats: int, counts: list[int]) -> None:
        """One repeat has no standard error."""
        table = self.table(kind, key)
        rows = [table.iloc[[0]].assign(images=count, repeat=number) for count in counts
                for number in range(1, min(repeats, ROWS) + 1)]  # fmt: skip
        self.write(pd.concat(rows), kind, key)
        self.record(kind, key, repeats=repeats, standard_error=math.nan if repeats == 1 else 0.01)


def made_up_pictures(folder: Path, params: Params) -> None:
    """What no git holds, since it shows photographs of others."""
    for key in params.datasets:
        (folder / "plots/gather").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(folder / f"plots/gather/{key}.png")
    for key in params.transfer:
        names = records.read_json(folder / f"metrics/evaluate/{key}.json")
        classes = [name.removeprefix("accuracy_") for name in names if name.startswith("accuracy_")]
        rows = [{"class": name, "images": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5} for name in classes]
        records.write_json(folder / f"plots/evaluate/{key}.json", {"mistakes": [], "report": rows})


def remembered(draw: Any) -> Any:
    """The figure from an earlier page where its numbers are the same."""

    def call(*arguments: Any, **named: Any) -> Any:
        key = pickle.dumps((draw.__name__, arguments, named))
        if key not in DRAWN:
            DRAWN[key] = draw(*arguments, **named)
        return DRAWN[key]

    return call


@pytest.fixture(scope="module", params=["", "photos"])
def pipeline(request, tmp_path_factory):
    """A pipeline's parameters at scale quick, a copy of its results, and a folder to work in."""
    folder = tmp_path_factory.mktemp("pipeline")
    for name in ("metrics", "plots"):
        shutil.copytree(ROOT / request.param / name, folder / "base" / name)
        shutil.copytree(ROOT / request.param / name, folder / "work" / name)
    shutil.copy2(ROOT / request.param / "printed.yaml", folder / "work")
    params = Params.model_validate(whole.resolved(whole.read(ROOT / request.param / "params.yaml"), "quick"))
    for place in ("base", "work"):
        made_up_pictures(folder / place, whole.with_recipes(params))
    return params, folder


@pytest.mark.parametrize("which", [0, 1, 2], ids=["lowest", "highest", "least above 0"])
def test_every_value_that_the_schema_allows_gives_a_page_or_is_refused(pipeline, monkeypatch, which):
    params, folder = pipeline
    monkeypatch.chdir(folder / "work")
    for name in NAMES:
        monkeypatch.setattr(figures, name, remembered(getattr(figures, name)))
    for settings in changes(params, which):
        Results(folder / "base", settings)
        monkeypatch.setattr(checks, "load", lambda settings=settings: settings)
        collect.main()
        report.main()
