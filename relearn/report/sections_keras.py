"""The report's sections on Deep Learning with TensorFlow and Keras, chapter 3: LeNet, CIFAR-10, named pictures, style."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from relearn.data import records
from relearn.painting import pictures
from relearn.params.whole import Params
from relearn.report import figures
from relearn.report.page import Section

METRICS, PLOTS = Path("metrics"), Path("plots")
LENET = ("lenet", "mnist_dense")
CIFAR = ("cifar_simple", "cifar_deeper", "cifar_deeper_augmented")


def build(settings: Params, printed: dict[str, float]) -> list[Section]:
    """The sections whose experiments `settings` has."""
    sections = []
    if set(LENET) & settings.train.keys():
        sections.append(lenet(settings))
    if settings.learning_curve:
        sections.append(learning_curve(settings, printed))
    if set(CIFAR) & settings.train.keys():
        sections.append(cifar(settings, printed))
    sections += [named(settings, key) for key in settings.predict]
    return sections + [style(settings, key) for key in settings.style_transfer]


def lenet(settings: Params) -> Section:
    """T1: loss and accuracy of LeNet, with the dense net beside it."""
    histories = {key: pd.read_csv(PLOTS / f"history/{key}.csv") for key in LENET if key in settings.train}
    return Section(
        "lenet", "T1. LeNet on MNIST",
        "Training loss, and accuracy on the last fifth of the training images, which neither net was trained on.",
        [figures.curves(histories, "loss", "training loss"),
         *figures.curves_of_shown(histories, "val_accuracy", "holdout accuracy")],
    )  # fmt: skip


def learning_curve(settings: Params, printed: dict[str, float]) -> Section:
    """T2: accuracy of both nets over the number of training images."""
    tables = {key: pd.read_csv(PLOTS / f"learning_curve/{key}.csv") for key in settings.learning_curve}
    marks = {key: printed[f"learning_curve/{key}.accuracy"] for key in tables if f"learning_curve/{key}.accuracy" in printed}
    spec = next(iter(settings.learning_curve.values()))
    return Section(
        "learning_curve", "T2. Ever fewer images",
        f"Each net trained {spec.repeats} times on each number of images, with seeds and images of its own each time (the same "
        "images for every net). Dots are single trainings, lines their means with standard errors.",
        [figures.learning_curve(tables, marks)],
    )  # fmt: skip


def cifar(settings: Params, printed: dict[str, float]) -> Section:
    """T3, T4 and T5 in one chart, and what the augmentation makes of some images."""
    histories = {key: pd.read_csv(PLOTS / f"history/{key}.csv") for key in CIFAR if key in settings.train}
    marks = {key: printed[f"evaluate/{key}.accuracy"] for key in histories if f"evaluate/{key}.accuracy" in printed}
    shown = [records.read_json(PLOTS / f"evaluate/{key}.json").get("augmented") for key in histories]
    sheet = next((uri for uri in shown if uri), "")
    return Section(
        "cifar", "T3 to T5. CIFAR-10, simple, deeper, augmented",
        "Accuracy on the last fifth of the training images after each epoch; the short lines on the right are the printed "
        "test accuracies. Below, some images and what random rotation, shift and mirroring make of them in an epoch.",
        figures.curves_of_shown(histories, "val_accuracy", "holdout accuracy", marks),
        sheet=sheet, pixels=True,
    )  # fmt: skip


def named(settings: Params, key: str) -> Section:
    """R1 and T7: pictures classified by a network."""
    spec = settings.predict[key]
    kind, _, name = spec.model.partition("/")
    network = settings.backbones[name].architecture if kind == "backbones" else spec.model
    answered = json.loads((PLOTS / f"predict/{key}.json").read_text())
    answers = "; ".join(f"{answer['file']}: {answer['top'][0]['name']} {answer['top'][0]['score']:.3f}" for answer in answered)
    return Section(
        f"named_{key}", "R1, T7. Pictures classified by a network",
        f"{network} says: {answers}. The books' ResNet50 named a dog Norwich terrier with .770, and the second training image of "
        "CIFAR-10 moving van with .9989. Each picture with its best classes, and all scores.",
        sheet=pictures.file_uri(PLOTS / f"predict/{key}.webp"),
    )  # fmt: skip


def style(settings: Params, key: str) -> Section:
    """T9: content, style and result."""
    spec = settings.style_transfer[key]
    metrics = records.read_json(METRICS / f"style_transfer/{key}.json")
    shown: list[dict[str, Any]] = [
        {"image": pictures.file_uri(PLOTS / f"style/{key}{suffix}.png"), "caption": caption}
        for suffix, caption in (("_content", f"content: {spec.content}"), ("_style", f"style: {spec.style}"), ("", "both"))
    ]
    left = metrics["style_left"]  # undefined where the content has the style already
    table = pd.read_csv(PLOTS / f"style/{key}.csv").rename(columns={"step": "epoch"})
    backbone = settings.backbones[spec.backbone].architecture
    return Section(
        f"style_{key}", "T9. Style transfer",
        f"{spec.steps} steps of {spec.optimizer} on the pixels, by features of {backbone}: content from {spec.content_layer}, "
        f"style from {', '.join(spec.style_layers)}. At the end "
        f"{'no' if left is None else f'{left:.1%}'} of the style distance is left.",
        [figures.losses(table)], pictures=shown,
    )  # fmt: skip
