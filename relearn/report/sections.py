"""What the report shows below its first table: a section an experiment, made from metrics, plots and predictions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relearn.checks import shapes
from relearn.data import records
from relearn.painting import pictures
from relearn.params.whole import Params
from relearn.report import figures, sections_keras, sections_transfer
from relearn.report.page import Section
from relearn.scoring.confusions import percent

METRICS, PLOTS = Path("metrics"), Path("plots")
FIGURE_14 = ("shallow_adadelta", "deep_adadelta", "shallow_sgd", "deep_sgd")
WORST_PAIRS = 3
COSTS_OF = "cifar10"  # the data set whose trainings are compared


def here(metric: str) -> float | None:
    """The value of `evaluate/multiclass.accuracy` in this folder, whose experiments have all been run."""
    name, _, column = metric.rpartition(".")
    return records.read_json(METRICS / f"{name}.json").get(column)


def build(settings: Params, rows: list[dict[str, Any]], by_cost: list[dict[str, Any]] | None = None) -> list[Section]:
    """All sections of what `settings` has, chapter by chapter.

    rows: the compared rows of printed.yaml. by_cost: `trainings_by_cost`, of this folder's metrics unless given.
    """
    printed = {row["metric"]: row["printed"] for row in rows if row["printed"] is not None}
    sections = []
    if set(FIGURE_14) & settings.train.keys():
        sections.append(curves(settings))
    if "animal_vehicle" in settings.train:
        sections.append(two_classes(settings))
    if settings.one_vs_rest:
        sections.append(one_vs_rest(settings, printed))
    if len(compared := trainings_by_cost(settings) if by_cost is None else by_cost) > 1:
        sections.append(costs(compared))
    if settings.tsne:
        sections.append(digits(settings))
    if {"embedded", "raw"} <= settings.classify.keys():
        sections.append(classifiers(settings, printed))
    sections += [augmentation(settings, key) for key in settings.augment]
    if "vehicles" in settings.train:
        sections.append(vehicles(settings))
    if settings.repeat or settings.finetune:
        sections.append(repeats(settings, rows))
    sections += sections_keras.build(settings, printed)
    sections += sections_transfer.build(settings, printed)
    return sections + [gallery(key, count) for key, count in settings.report.gallery.items()]


def curves(settings: Params) -> Section:
    """K1: loss and validation error over the epochs."""
    histories = {key: pd.read_csv(PLOTS / f"history/{key}.csv") for key in FIGURE_14 if key in settings.train}
    return Section(
        "curves", "K1. Two nets, two optimizers",
        "Training loss (figure 14-1) and error on the validation images (figure 14-2). Nothing was chosen by the "
        "validation images; the accuracies in the table are of the other test images.",
        [figures.curves(histories, "loss", "training loss"),
         *figures.curves_of_shown(histories, "val_error", "validation error")],
    )  # fmt: skip


def two_classes(settings: Params) -> Section:
    """K2: animal or vehicle."""
    metrics = records.read_json(METRICS / "evaluate/animal_vehicle.json")
    points = pd.read_csv(PLOTS / "roc/animal_vehicle.csv")
    negative, positive = settings.relabel["animal_vehicle"].classes or ["negative", "positive"]
    classes = shapes.classes(settings, "cifar10")
    errors = {
        f"{truth} called {guess}": [metrics[f"{truth}_called_{guess}_{name}"] for name in classes]
        for truth, guess in ((negative, positive), (positive, negative))
    }
    return Section(
        "animal_vehicle", "K2. Animal or vehicle",
        "The chapter takes its area under the curve from hard labels, which is one point; from the network's "
        "probabilities it is the solid line. The bars count the errors by the picture's own class.",
        [
            figures.roc(points, (metrics["fpr"], metrics["tpr"]), metrics["auc"], metrics["auc_hard"]),
            figures.confusion(percent("animal_vehicle", [negative, positive]), [negative, positive], "animal or vehicle"),
            figures.bars(classes, errors, "errors"),
        ],
    )  # fmt: skip


def one_vs_rest(settings: Params, printed: dict[str, float]) -> Section:
    """K3: ten binary networks against one of ten classes."""
    metrics = records.read_json(METRICS / "one_vs_rest.json")
    spec = settings.single("one_vs_rest")
    against = spec.against
    classes = shapes.classes(settings, spec.images)
    files = {"one-vs-rest": "one_vs_rest", against: f"evaluate/{against}"}
    shares, marks = {}, {}
    for name, file in files.items():
        record = records.read_json(METRICS / f"{file}.json")
        shares[name] = [record[f"accuracy_{label}"] for label in classes]
        marks[name] = [printed.get(f"{file}.accuracy_{label}", np.nan) for label in classes]
    p = metrics["mcnemar_p"]
    verdict = "a difference beyond chance at the 5 % level" if p < 0.05 else "no difference beyond chance at the 5 % level"
    return Section(
        "one_vs_rest", "K3. Ten binary networks, or one of ten classes",
        f"On the same {metrics['images']:,} test images one-vs-rest classifies {metrics['accuracy']:.1%} correctly and {against} "
        f"{metrics['accuracy_against']:.1%}. Only the former is right on {metrics['only_first_right']:,}, only the latter on "
        f"{metrics['only_second_right']:,}: McNemar's exact test gives p = {p:.2g}, {verdict}, "
        f"for this one training of each ({spec.epochs} and {settings.train[against].epochs} epochs).",
        [
            figures.bars(classes, shares, "share classified correctly", marks),
            figures.confusion(percent("one_vs_rest", classes), classes, "one-vs-rest"),
            figures.confusion(percent(against, classes), classes, against),
        ],
    )  # fmt: skip


def trainings_by_cost(settings: Params, value: Callable[[str], float | None] = here) -> list[dict[str, Any]]:
    """The trainings on all classes of CIFAR-10, the cheapest first: net, images x epochs, petaflop, accuracy of one view.

    value: of a metric, as `evaluate/multiclass.accuracy`; a training is left out for which it is None.
    """
    found = []
    for key, spec in settings.train.items():
        view = settings.relabel[spec.labels]
        if spec.images != COSTS_OF or view.keep is not None or view.positives is not None:
            continue
        metric = f"evaluate/{key}.accuracy_of_one_view"
        if value(metric) is None:
            metric = f"evaluate/{key}.accuracy"
        accuracy, images, epochs, petaflop = map(
            value, (metric, f"train/{key}.images", f"train/{key}.epochs", f"train/{key}.petaflop")
        )
        if accuracy is not None and images and epochs and petaflop:
            run = f"{images:,.0f} x {epochs:.0f}"
            row = {"name": key, "net": spec.net, "run": run, "petaflop": petaflop, "metric": metric, "accuracy": accuracy}
            found.append(row)
    return sorted(found, key=lambda row: row["petaflop"])


def costs(compared: list[dict[str, Any]]) -> Section:
    """Ten-class CIFAR-10 networks by training cost."""
    shown = [
        {"experiment": row["name"], "net": row["net"], "images x epochs": row["run"],
         "10^15 operations": f"{row['petaflop']:.4g}", "accuracy": f"{row['accuracy']:.4f}",
         "accuracy per 10^15": f"{row['accuracy'] / row['petaflop']:,.1f}"}
        for row in compared
    ]  # fmt: skip
    return Section(
        "costs", "Accuracy by training cost",
        "Ten-class CIFAR-10 networks: accuracy on the test images (one view of each; of several seeds the mean) beside the "
        "floating point operations of the training, counted from the layers: three times the forward pass for each image and "
        "epoch; a multiplication and an addition are two. The table's last column divides the one by the other.",
        [figures.costs(pd.DataFrame(compared))], table=shown, table_title="The same in numbers",
    )  # fmt: skip


def digits(settings: Params) -> Section:
    """K4: t-SNE of the digits embedded by a network that never saw one."""
    titles = {
        key: f"only {', '.join(map(str, spec.classes))}" if spec.classes else "all classes" for key, spec in settings.tsne.items()
    }
    layouts = {key: pd.read_csv(PLOTS / f"tsne/{key}.csv", dtype={"class": str}) for key in titles}
    svgs = [figures.scatter(points, f"t-SNE, {titles[key]}") for key, points in layouts.items()]
    return Section(
        "tsne", "K4. Digits, embedded by a network that never saw one",
        "MNIST's test digits through the 128-unit layer of the ten-class CIFAR-10 network, laid out by t-SNE.", svgs,
    )  # fmt: skip


def classifiers(settings: Params, printed: dict[str, float]) -> Section:
    """K4: classical classifiers on embedded and raw digits."""
    names = list(dict.fromkeys(name for key in ("embedded", "raw") for name in settings.classify[key].classifiers))
    shares, marks = {}, {}
    for key in ("embedded", "raw"):
        record = records.read_json(METRICS / f"classify/{key}.json")
        shares[key] = [record.get(f"accuracy_{name}", np.nan) for name in names]
        marks[key] = [printed.get(f"classify/{key}.accuracy_{name}", np.nan) for name in names]
    svgs = [figures.bars([name.replace("_", " ") for name in names], shares, "accuracy", marks)]
    text = "Accuracy on the embedded and on the raw, scaled digits; the black lines are the printed values."
    forest = next(
        (name for name in settings.classify["embedded"].classifiers if settings.classifiers[name].kind == "random_forest"), None
    )
    if forest:
        table = pd.read_csv(PLOTS / "classify/embedded.csv", dtype={"actual": str, "predicted": str})
        table = table[table["classifier"] == forest]
        wrong = table[table["actual"] != table["predicted"]].nlargest(WORST_PAIRS, "percent")
        pairs = ", ".join(f"{row.actual} classified as {row.predicted} ({row.percent:.1f} %)" for row in wrong.itertuples())
        text += f" The forest's worst pairs on the embedding: {pairs}. Printed: 3-5, 3-8, 5-3."
        square = table.pivot(index="actual", columns="predicted", values="percent")
        svgs.append(figures.confusion(square.to_numpy(), list(square.index), "random forest on the embedding"))
    return Section("classifiers", "K4. Classical classifiers on the digits", text, svgs)


def augmentation(settings: Params, key: str) -> Section:
    """K5: some images and their altered copies."""
    spec = settings.augment[key]
    image = pictures.file_uri(PLOTS / f"augmentation/{key}.png")
    return Section(
        key, "K5. Augmentation",
        f"Each row: the {spec.crop}-pixel centre crop of a training image, and its {spec.copies} altered copies: mirrored "
        f"or not, then rotated by up to {spec.max_degrees:g} degrees or cropped off centre. "
        f"{spec.source_images:,} images give {spec.source_images * (1 + spec.copies):,}.",
        sheet=image, pixels=True,
    )  # fmt: skip


def vehicles(settings: Params) -> Section:
    """K6: the network that fine-tuning starts from."""
    classes = [shapes.classes(settings, "cifar10_augmented")[number] for number in settings.relabel["vehicles"].keep or []]
    history = {"deep net on vehicles": pd.read_csv(PLOTS / "history/vehicles.csv")}
    return Section(
        "vehicles", "K6. Four kinds of vehicle",
        "The deep net on the augmented vehicles, from which the fine-tuning below starts.",
        [*figures.curves_of_shown(history, "val_error", "validation error"),
         figures.confusion(percent("vehicles", classes), classes, "vehicles")],
    )  # fmt: skip


def repeats(settings: Params, rows: list[dict[str, Any]]) -> Section:
    """K7: cat or dog from few pictures, repeat by repeat."""
    tables = {key: pd.read_csv(PLOTS / f"finetune/{key}.csv") for key in [*settings.repeat, *settings.finetune]}
    printed = {
        row["metric"].removeprefix("finetune/").removesuffix(".accuracy"): (row["printed"], row["printed_error"])
        for row in rows if row["printed_error"] is not None and not row["detail"]
    }  # fmt: skip
    return Section(
        "finetune", "K7. Cat or dog, from few pictures",
        "From scratch, or from the vehicles' network with some convolutions frozen. Each dot is a repeat with seeds of its "
        "own. Stacked keeps the vehicles' softmax below the new one, as the published code probably did.",
        [figures.repeats(tables, printed)],
    )  # fmt: skip


def gallery(key: str, count: int) -> Section:
    """The most confident mistakes of a network."""
    metrics = records.read_json(METRICS / f"evaluate/{key}.json")
    items = records.read_json(PLOTS / f"evaluate/{key}.json")["mistakes"][:count]
    wrong = round((1 - metrics["accuracy"]) * metrics["images"])
    return Section(
        f"mistakes_{key}", f"The most confident mistakes of {key}",
        f"Of {wrong:,} misclassified among {metrics['images']:,} test images, the {len(items)} with the highest probability "
        "for the wrong class.",
        gallery=items,
    )  # fmt: skip
