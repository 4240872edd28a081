"""What the blocks of params.yaml say of one another: everything named is there, and fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from stages.lib import layers

if TYPE_CHECKING:
    from stages.lib.params import Augment, Download, Finetune, Fit, Params, Relabel, Tune

FRESH = "stages/lib/nets.py"
NAMED = "cifar10"  # the data set whose rows predict may name: its stage depends on it


def mismatches(params: Params) -> list[str]:
    """Blocks that name something which is not there, or which does not fit."""
    datasets = [*params.download, *params.augment]
    found: list[str] = []

    def known(path: str, value: str, allowed: Iterable[str]) -> bool:
        if value not in (names := list(allowed)):
            found.append(f"{path}: {value!r} is none of {', '.join(names)}")
        return value in names

    for key, net in params.nets.items():
        try:
            layers.parse(net)
        except ValueError as error:
            found.append(f"nets.{key}: {error}")
    for key in params.augment.keys() & params.download.keys():
        found.append(f"augment.{key}: download has a data set of that name")
    for key, spec in params.augment.items():
        if known(f"augment.{key}.images", spec.images, params.download):
            found += _augment_mistakes(f"augment.{key}", spec, params.download[spec.images])
    for key, embed in params.embed.items():
        if known(f"embed.{key}.images", embed.images, [*datasets, *params.datasets]):
            found += _limit_mistakes(f"embed.{key}", embed, embed.images, params)
    if found:
        return found
    for key, view in params.relabel.items():
        embedded = [f"embeddings/{name}" for name, embed in params.embed.items() if embed.images in datasets]
        if known(f"relabel.{key}.images", view.images, [*datasets, *embedded]):
            found += _relabel_mistakes(f"relabel.{key}", view, params)
    if found:
        return found
    named = [*datasets, *(f"embeddings/{name}" for name in params.embed)]
    for path, fit in _fits(params).items():
        if known(f"{path}.labels", fit.labels, params.relabel) and known(f"{path}.net", fit.net, params.nets):
            found += _fit_mistakes(path, fit, params)
    for key, tune in params.tune.items():
        if known(f"tune.{key}.labels", tune.labels, params.relabel):
            found += _tune_mistakes(f"tune.{key}", tune, params)
    for key, curve in params.learning_curve.items():
        if curve.labels in params.relabel:
            there = params.relabel[curve.labels].train_images or params.images_in(curve.images, "train")
            found += [f"learning_curve.{key}.counts: {count} is more than there are, {there}"
                      for count in curve.counts if there and count > there]  # fmt: skip
    if params.one_vs_rest is not None and known("one_vs_rest.against", params.one_vs_rest.against, params.train):
        rival = params.train[params.one_vs_rest.against]
        for name in ("labels", "validation"):
            if (theirs := getattr(rival, name)) != getattr(params.one_vs_rest, name):
                found.append(f"one_vs_rest.against: {params.one_vs_rest.against!r} has {name} {theirs!r}, not the same")
    for key, tuned in params.finetune.items():
        found += _finetune_mistakes(f"finetune.{key}", tuned, params)
    models = [*params.train, *params.transfer, *(f"backbones/{key}" for key in params.backbones)]
    for key, embed in params.embed.items():
        if known(f"embed.{key}.model", embed.model, models) and embed.model in params.train:
            parsed = layers.parse(params.nets[params.train[embed.model].net])
            names = [layer.name for layer in parsed if layer.kind in ("dense", "flatten", "average")]
            known(f"embed.{key}.layer", embed.layer or "", names)
    for key, describe in params.describe.items():
        if known(f"describe.{key}.images", describe.images, params.download):
            if params.download[describe.images].image_shape[2] != 3:
                found.append(f"describe.{key}.images: {describe.images!r} has grey images; three channels are described")
            found += _limit_mistakes(f"describe.{key}", describe, describe.images, params)
            for name, place in (("sheet", describe.sheet - 1), ("example", describe.example)):
                if place >= describe.train_images:
                    found.append(f"describe.{key}.{name}: is more than train_images, {describe.train_images}")
    for key, tsne in params.tsne.items():
        if known(f"tsne.{key}.features", tsne.features, params.embed):
            n_classes = len(params.classes(params.embed[tsne.features].images))
            found += _class_mistakes(f"tsne.{key}.classes", tsne.classes or [], n_classes)
        if tsne.perplexity >= tsne.images:
            found.append(f"tsne.{key}.perplexity: {tsne.perplexity} is not below images, {tsne.images}")
    for key, classify in params.classify.items():
        for name in classify.classifiers:
            known(f"classify.{key}.classifiers", name, params.classifiers)
        if known(f"classify.{key}.features", classify.features, named):
            found += _limit_mistakes(f"classify.{key}", classify, classify.features, params)
    for key, predict in params.predict.items():
        known(f"predict.{key}.model", predict.model, [f"backbones/{name}" for name in params.backbones])
        found += [f"predict.{key}.pictures: {name!r} is neither skimage:<name>, sklearn:<name> nor {NAMED}:<split>:<row>; "
                  "files are for the command line" for name in predict.pictures
                  if name.partition(":")[0] not in ("skimage", "sklearn", NAMED)]  # fmt: skip
    for key, style in params.style_transfer.items():
        for name in ("content", "style"):
            if (picture := getattr(style, name)).partition(":")[0] not in ("skimage", "sklearn"):
                found.append(f"style_transfer.{key}.{name}: {picture!r} is neither skimage:<name> nor sklearn:<name>; "
                             "files are for the command line")  # fmt: skip
        known(f"style_transfer.{key}.backbone", style.backbone, params.backbones)
    found += _transfer_mistakes(params, known)
    for key in params.evaluate.also_train:
        known("evaluate.also_train", key, [*params.train, *params.transfer])
    of_pictures = [key for key, fit in params.train.items() if not fit.images.startswith("embeddings/")]
    for key in params.evaluate.test_time_augmentation:
        known("evaluate.test_time_augmentation", key, [*of_pictures, *params.transfer])
        if params.one_vs_rest and params.one_vs_rest.against == key:
            found.append(f"one_vs_rest.against: {key!r} is scored by several views (evaluate.test_time_augmentation)")
    for key in params.report.gallery:
        known(f"report.gallery.{key}", key, [*params.train, *params.transfer])
    return found + _twice(params)


def _fits(params: Params) -> dict[str, Fit]:
    """Every block that trains a network of `nets` on a view, by its path."""
    dictionaries: dict[str, Mapping[str, Fit]] = {
        "train": params.train,
        "finetune": params.finetune,
        "learning_curve": params.learning_curve,
    }
    fits = {f"{name}.{key}": fit for name, blocks in dictionaries.items() for key, fit in blocks.items()}
    return fits | ({"one_vs_rest": params.one_vs_rest} if params.one_vs_rest else {})


def _tune_mistakes(path: str, tune: Tune, params: Params) -> list[str]:
    view = params.relabel[tune.labels]
    found = []
    if tune.images != view.images:
        found.append(f"{path}.images: {tune.images!r} is not what the labels are of: relabel.{tune.labels} has {view.images!r}")
    try:
        for dropout in tune.grid.dropout:
            layers.parse(tune.net.format(units=1, dropout=dropout))
    except (ValueError, KeyError, IndexError) as error:
        found.append(f"{path}.net: {tune.net!r} with {{units}} and {{dropout}} in it cannot be read: {error}")
    return found


def _transfer_mistakes(params: Params, known: Callable[[str, str, Iterable[str]], bool]) -> list[str]:
    found = []
    for key, photos in params.datasets.items():
        known(f"datasets.{key}.recipe", photos.recipe, params.recipes)
        known(f"datasets.{key}.backbone", photos.backbone, params.backbones)
        if key in params.download or key in params.augment:
            found.append(f"datasets.{key}: download or augment has a data set of that name")
        for name in set(photos.together) - set(photos.classes or photos.together):
            found.append(f"datasets.{key}.together.{name}: is no class of this data set")
        for phase in ("head", "tune"):
            changes = getattr(params.recipes[photos.recipe], phase).augmentation if photos.recipe in params.recipes else None
            if changes and changes.crop_padding >= photos.side:
                found.append(f"recipes.{photos.recipe}.{phase}.augmentation.crop_padding: {changes.crop_padding} is not below "
                             f"datasets.{key}.side, {photos.side}")  # fmt: skip
    for key, recipe in params.recipes.items():
        try:
            layers.parse(recipe.head.net)
        except ValueError as error:
            found.append(f"recipes.{key}.head.net: {error}")
    if params.datasets and "logistic_regression" not in params.classifiers:
        found.append("classifiers.logistic_regression: is missing; it is the linear probe of every data set")
    starts = [f"models/backbones/{key}.keras" for key in params.backbones]
    starts += [f"models/{key}.keras" for key in params.transfer]
    for key, transfer in params.transfer.items():
        known(f"transfer.{key}.start", transfer.start, starts)
        known(f"transfer.{key}.images", transfer.images, params.datasets)
    return found


def _limit_mistakes(path: str, limits: Any, images: str, params: Params) -> list[str]:
    """Wishes for more images than a data set has."""
    wishes = [(split, getattr(limits, f"{split}_images"), params.images_in(images, split)) for split in ("train", "test")]
    return [f"{path}.{split}_images: {wish} is more than there are, {there}"
            for split, wish, there in wishes if wish and there and wish > there]  # fmt: skip


def _twice(params: Params) -> list[str]:
    """Experiments whose rows in the metrics table would have one name."""
    rows = [*params.train, "one_vs_rest", *params.finetune, *params.tune, *params.transfer]
    rows += [f"learning_curve_{key}" for key in params.learning_curve]
    rows += [f"{key}_{name}" for key, spec in params.classify.items() for name in spec.classifiers]
    return [f"{name}: is the name of two experiments in the metrics table" for name in sorted(set(rows)) if rows.count(name) > 1]


def _class_mistakes(path: str, numbers: list[int], n_classes: int) -> list[str]:
    return [f"{path}: class {number} does not exist; classes are 0 to {n_classes - 1}"
            for number in numbers if not 0 <= number < n_classes]  # fmt: skip


def _augment_mistakes(path: str, spec: Augment, source: Download) -> list[str]:
    side = min(source.image_shape[:2])
    if spec.crop > side:
        return [f"{path}.crop: {spec.crop} is larger than the images, {side}"]
    found = []
    if spec.max_offset > side - spec.crop:
        found.append(f"{path}.max_offset: {spec.max_offset} leaves the image; 0 to {side - spec.crop} is possible")
    if spec.source_images > source.train_images:
        found.append(f"{path}.source_images: {spec.source_images} is more than there are, {source.train_images}")
    return found


def _relabel_mistakes(path: str, view: Relabel, params: Params) -> list[str]:
    shape = params.image_shape(view.images)
    classes = params.classes(view.images)
    found = _limit_mistakes(path, view, view.images, params)
    found += _class_mistakes(f"{path}.keep", view.keep or [], len(classes))
    found += _class_mistakes(f"{path}.positives", view.positives or [], len(classes))
    if view.positives is not None and len(view.positives) == len(classes):
        found.append(f"{path}.positives: every class is positive; at least one must be left")
    if view.crop and shape is None:
        found.append(f"{path}.crop: an embedding cannot be cropped")
    if view.crop and shape and view.crop > min(shape[:2]):
        found.append(f"{path}.crop: {view.crop} is larger than the images, {min(shape[:2])}")
    return found


def _fit_mistakes(path: str, fit: Fit, params: Params) -> list[str]:
    view = params.relabel[fit.labels]
    if fit.images != view.images:
        return [f"{path}.images: {fit.images!r} is not what the labels are of: relabel.{fit.labels} has {view.images!r}"]
    side, shape = fit.side or params.view_side(fit.labels), params.image_shape(fit.images)
    if side and shape:
        whitened = fit.pixels == "whitened"
        try:
            layers.flat_units(params.nets[fit.net], side - whitened, 8 * shape[2] if whitened else shape[2])
        except ValueError as error:
            return [f"{path}.net: {fit.net!r} does not fit images of {side} pixels: {error}"]
    if side and fit.augmentation and fit.augmentation.crop_padding >= side:
        return [f"{path}.augmentation.crop_padding: {fit.augmentation.crop_padding} is not below the side of the images, {side}"]
    if view.test_images is not None and fit.validation >= view.test_images:
        return [f"{path}.validation: {fit.validation} leaves no test images of {view.test_images}"]
    return []


def _finetune_mistakes(path: str, tuned: Finetune, params: Params) -> list[str]:
    starts = [FRESH, *(f"models/{key}.keras" for key in params.train)]
    if tuned.start not in starts:
        return [f"{path}.start: {tuned.start!r} is none of {', '.join(starts)}"]
    if tuned.base is None or tuned.net not in params.nets:
        return []
    found = []
    base = params.train[tuned.base]
    if base.net != tuned.net:
        found.append(f"{path}.net: {tuned.net!r} is not the net of {tuned.base}, {base.net!r}")
    if tuned.labels in params.relabel and params.view_side(base.labels) != params.view_side(tuned.labels):
        found.append(f"{path}.start: {tuned.base} was trained on images of {params.view_side(base.labels)} pixels, "
                     f"{tuned.labels} has {params.view_side(tuned.labels)}")  # fmt: skip
    for name in ("pixels", "side"):
        if (theirs := getattr(base, name)) != (ours := getattr(tuned, name)):
            found.append(f"{path}.{name}: {ours!r} is not that of {tuned.base}, {theirs!r}")
    names = ["whiten"] * (base.pixels == "whitened")
    names += [layer.name for layer in layers.parse(params.nets[tuned.net]) if layer.kind in ("conv", "identity", "dense")]
    found += [f"{path}.freeze: {name!r} is none of {', '.join(names)}" for name in tuned.freeze if name not in names]
    return found
