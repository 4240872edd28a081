"""The report's sections on networks with weights from elsewhere: heads on frozen features (R), photographs (Q, L)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relearn.checks import shapes
from relearn.data import records
from relearn.painting import pictures
from relearn.params.whole import Params
from relearn.report import figures
from relearn.report.page import Section
from relearn.report.printed import backbone_of
from relearn.scoring import scores
from relearn.scoring.confusions import percent

METRICS, PLOTS = Path("metrics"), Path("plots")
HEADS = ("head_rmsprop", "head_adam", "head_best", "head_short", "head_pooled")


def build(settings: Params, printed: dict[str, float]) -> list[Section]:
    """The sections whose experiments `settings` has."""
    sections = [described(settings, key) for key in settings.describe]
    if "head_rmsprop" in settings.train:
        sections.append(heads(settings, printed))
    sections += [grid(settings, key) for key in settings.tune]
    return sections + [photographs(settings, key) for key in settings.datasets]


def described(settings: Params, key: str) -> Section:
    """R0: the first images, one before and after scaling, pixel values, class counts."""
    spec = settings.describe[key]
    metrics = records.read_json(METRICS / f"describe/{key}.json")
    classes = shapes.classes(settings, spec.images)
    counts = {split: [metrics[f"{split}_{name}"] for name in classes] for split in ("train", "test")}
    folder = PLOTS / "describe"
    shown = [
        {"image": pictures.file_uri(folder / f"{key}_sheet.png"), "caption": f"the first {spec.sheet} training images"},
        {"image": pictures.file_uri(folder / f"{key}_example.png"), "caption": f"training image {spec.example + 1}, as it is"},
        {"image": pictures.file_uri(folder / f"{key}_scaled.png"), "caption": f"scaled to {spec.side} pixels, bilinear"},
    ]
    return Section(
        f"described_{key}", "R0. The data",
        f"The first {spec.train_images:,} training and {spec.test_images:,} test images of {spec.images}, in their order. "
        f"The labels begin {metrics['first_labels']}. Pixel values before and after ResNet50's and VGG16's preprocessing.",
        [*figures.histograms(pd.read_csv(folder / f"{key}_histogram.csv")), figures.bars(classes, counts, "images")],
        pictures=shown,
    )  # fmt: skip


def heads(settings: Params, printed: dict[str, float]) -> Section:
    """R2 to R6: small networks on the features of a frozen backbone, against one from scratch and a linear probe."""
    names = [key for key in ("scratch", *HEADS) if key in settings.train]
    values = {key: records.read_json(METRICS / f"evaluate/{key}.json")["accuracy"] for key in names}
    for key in settings.tune:
        values[key] = records.read_json(METRICS / f"tune/{key}.json")["accuracy"]
    for key, spec in settings.classify.items():
        if spec.features.startswith("embeddings/") and spec.classifiers == ["logistic_regression"]:
            values[key] = records.read_json(METRICS / f"classify/{key}.json")["accuracy_logistic_regression"]
    marks = [printed.get(f"{'tune' if key in settings.tune else 'evaluate'}/{key}.accuracy", np.nan) for key in values]
    histories = {key: pd.read_csv(PLOTS / f"history/{key}.csv") for key in names}
    classes = shapes.classes(settings, settings.train["head_rmsprop"].images)
    matrices = [figures.confusion(percent("head_rmsprop", classes), classes, "head_rmsprop, test images")]
    seen = records.read_json(PLOTS / "evaluate/head_rmsprop.json").get("train_confusion")
    if seen:
        shares = scores.row_percent(np.array(seen))
        matrices.append(figures.confusion(shares, classes, "head_rmsprop, training images"))
    backbone = backbone_of(settings, "evaluate/head_rmsprop")
    return Section(
        "heads", "R2 to R6. Heads on frozen features",
        f"The backbone here is {backbone}; the book has ResNet50 and, for head_short, VGG16. It runs once, and the heads are "
        "trained on what comes out. scratch is a network of its own on the same images, probe a logistic regression on "
        "the features' average.",
        [figures.bars(list(values), {"accuracy": list(values.values())}, "accuracy on the test images", {"accuracy": marks}),
         *figures.curves_of_shown(histories, "val_accuracy", "holdout accuracy"), *matrices],
    )  # fmt: skip


def grid(settings: Params, key: str) -> Section:
    """R5: the grid search."""
    metrics = records.read_json(METRICS / f"tune/{key}.json")
    names = settings.tune[key].grid.model_dump()
    best = ", ".join(f"{name} {metrics[name]:g}" for name in names)
    return Section(
        f"tune_{key}", "R5. A grid of heads",
        f"{metrics['runs']} combinations, each trained {settings.tune[key].epochs} epochs. The best on the holdout, {best}, was "
        f"scored on the test images, once: {metrics['accuracy']:.4f}. The book's best was 512 units, dropout .1, batch 30: .820 "
        "on the holdout, .7975.",
        [figures.parallel(pd.read_csv(PLOTS / f"tune/{key}.csv"), "holdout_accuracy")],
    )  # fmt: skip


def photographs(settings: Params, key: str) -> Section:
    """Q and L: a data set of photographs through both phases."""
    metrics = records.read_json(METRICS / f"gather/{key}.json")
    phases = {name: f"{key}_{name}" for name in ("head", "tuned")}
    scored = {name: records.read_json(METRICS / f"evaluate/{model}.json") for name, model in phases.items()}
    probe = records.read_json(METRICS / f"classify/{key}_probe.json")["accuracy_logistic_regression"]
    histories = {name: pd.read_csv(PLOTS / f"history/{model}.csv") for name, model in phases.items()}
    classes = [name.removeprefix("accuracy_") for name in scored["head"] if name.startswith("accuracy_")]
    per_class = {name: [record[f"accuracy_{label}"] for label in classes] for name, record in scored.items()}
    spec = settings.datasets[key]
    shown = ", ".join(
        f"{name.replace('_', ' ')} {value:,}" for name, value in metrics.items() if isinstance(value, int) and value
    )
    measure = "val_accuracy" if all("val_accuracy" in history for history in histories.values()) else "accuracy"
    return Section(
        key, f"{key}: photographs",
        f"Read: {shown}. Backbone {settings.backbones[spec.backbone].architecture}, recipe {spec.recipe}, {spec.side} pixels. "
        f"Accuracy on the test photographs: linear probe {probe:.4f}, head on the frozen backbone "
        f"{scored['head']['accuracy']:.4f}, upper layers trained, too {scored['tuned']['accuracy']:.4f}.{of_validation(metrics)}",
        [figures.curves(histories, measure, "holdout accuracy" if measure == "val_accuracy" else "accuracy on training images"),
         figures.bars(classes, per_class, "share classified correctly"),
         figures.confusion(percent(phases["tuned"], classes), classes, "after both phases")],
        sheet=pictures.file_uri(sheet) if (sheet := PLOTS / f"gather/{key}.png").is_file() else "",
        table=report(phases) if all((PLOTS / f"evaluate/{model}.json").is_file() for model in phases.values()) else [],
    )  # fmt: skip


def of_validation(metrics: Mapping[str, Any]) -> str:
    """What became of the validation split that photographs came with; nothing when there is none."""
    if "scored_validation_images" in metrics:
        return " There is no test split: the validation split was scored. If it was used to choose anything, that is too good."
    if "validation_images" in metrics:
        return " The curves show the validation split, on which only the linear probe was trained."
    return ""


def report(phases: dict[str, str]) -> list[dict[str, str]]:
    """Classification reports after both phases, a row a class."""
    head, tuned = (records.read_json(PLOTS / f"evaluate/{model}.json")["report"] for model in phases.values())
    return [
        {"class": second["class"], "images": f"{second['images']:,}"}
        | {f"{measure}, {phase}": f"{row[measure]:.3f}" for phase, row in (("head", first), ("tuned", second))
           for measure in ("precision", "recall", "f1")}
        for first, second in zip(head, tuned, strict=True)
    ]  # fmt: skip
