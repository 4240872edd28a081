"""What the blocks of params.yaml say of one another: everything named is there, and fits.

A function a kind of block; each looks only at what is there, so that all mistakes are told at once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from relearn.checks import shapes
from relearn.networks import shorthand
from relearn.params.training import Finetune, Fit
from relearn.params.transfer import PROBE
from relearn.params.whole import OF_A_PROTOCOL, Params

NAMED = "cifar10"  # the data set whose rows predict may name: its stage depends on it
SHIPPED = ("skimage", "sklearn")


def mistakes(params: Params) -> list[str]:
    """A line for each block that names something which is not there, or which does not fit."""
    return [line for kind in KINDS for line in kind(params)]


def protocols(values: Mapping[str, Any]) -> list[str]:
    """Blocks that name a protocol which is not there; of values that are not checked yet."""
    known: Any = values.get("protocols")
    dictionaries = [(name, values.get(name)) for name in OF_A_PROTOCOL]
    named = [(f"{name}.{key}.protocol", block["protocol"]) for name, blocks in dictionaries if isinstance(blocks, dict)
             for key, block in blocks.items() if isinstance(block, dict) and "protocol" in block]  # fmt: skip
    return [line for path, protocol in named for line in _unknown(path, protocol, known if isinstance(known, dict) else ())]


def _unknown(path: str, value: Any, allowed: Iterable[str]) -> list[str]:
    """A line when `value` is none of the names `allowed`."""
    names = list(allowed)
    return [] if value in names else [f"{path}: {value!r} is none of {', '.join(names) or 'nothing: there is none'}"]


def _datasets(params: Params) -> list[str]:
    return [*params.download, *params.augment]


def _has(params: Params, images: str) -> bool:
    """Whether `images` is a data set, or an embedding of one, whose blocks are there."""
    if images.startswith("embeddings/"):
        embed = params.embed.get(images.removeprefix("embeddings/"))
        return embed is not None and _has(params, embed.images)
    if images in params.augment:
        return params.augment[images].images in params.download
    return images in params.download or images in params.datasets


def _nets(params: Params) -> Iterator[str]:
    nets = {f"nets.{key}": net for key, net in params.nets.items()}
    nets |= {f"recipes.{key}.head.net": recipe.head.net for key, recipe in params.recipes.items()}
    for path, net in nets.items():
        if error := _unreadable(net):
            yield f"{path}: {error}"


def _unreadable(net: str) -> str:
    try:
        shorthand.parse(net)
    except ValueError as error:
        return str(error)
    return ""


def _augment(params: Params) -> Iterator[str]:
    for key, spec in params.augment.items():
        path = f"augment.{key}"
        if key in params.download:
            yield f"{path}: download has a data set of that name"
        yield from _unknown(f"{path}.images", spec.images, params.download)
        if spec.images not in params.download:
            continue
        source = params.download[spec.images]
        side = min(source.image_shape[:2])
        if spec.crop > side:
            yield f"{path}.crop: {spec.crop} is larger than the images, {side}"
        elif spec.max_offset > side - spec.crop:
            yield f"{path}.max_offset: {spec.max_offset} leaves the image; 0 to {side - spec.crop} is possible"
        if spec.source_images > source.train_images:
            yield f"{path}.source_images: {spec.source_images} is more than there are, {source.train_images}"


def _describe(params: Params) -> Iterator[str]:
    for key, spec in params.describe.items():
        path = f"describe.{key}"
        yield from _unknown(f"{path}.images", spec.images, params.download)
        if spec.images not in params.download:
            continue
        if params.download[spec.images].image_shape[2] != 3:
            yield f"{path}.images: {spec.images!r} has grey images; three channels are described"
        yield from _limits(path, spec, spec.images, params)
        for name, place in (("sheet", spec.sheet - 1), ("example", spec.example)):
            if place >= spec.train_images:
                yield f"{path}.{name}: is more than train_images, {spec.train_images}"


def _relabel(params: Params) -> Iterator[str]:
    embedded = [f"embeddings/{key}" for key, embed in params.embed.items() if embed.images in _datasets(params)]
    for key, view in params.relabel.items():
        path = f"relabel.{key}"
        yield from _unknown(f"{path}.images", view.images, [*_datasets(params), *embedded])
        if not _has(params, view.images):
            continue
        shape, names = shapes.image_shape(params, view.images), shapes.classes(params, view.images)
        yield from _limits(path, view, view.images, params)
        yield from _class_numbers(f"{path}.keep", view.keep or [], len(names))
        yield from _class_numbers(f"{path}.positives", view.positives or [], len(names))
        if view.positives is not None and len(view.positives) == len(names):
            yield f"{path}.positives: every class is positive; at least one must be left"
        if view.crop and shape is None:
            yield f"{path}.crop: an embedding cannot be cropped"
        if view.crop and shape and view.crop > min(shape[:2]):
            yield f"{path}.crop: {view.crop} is larger than the images, {min(shape[:2])}"


def _trainings(params: Params) -> Iterator[str]:
    for path, fit in _fits(params).items():
        yield from _unknown(f"{path}.labels", fit.labels, params.relabel)
        yield from _unknown(f"{path}.net", fit.net, params.nets)
        if fit.labels in params.relabel and fit.net in params.nets and not _unreadable(params.nets[fit.net]):
            yield from _fit(path, fit, params)


def _fits(params: Params) -> dict[str, Fit]:
    """Every block that trains a network of `nets` on a view, by its path."""
    dictionaries: dict[str, Mapping[str, Fit]] = {
        "train": params.train, "repeat": params.repeat, "finetune": params.finetune, "learning_curve": params.learning_curve,
    }  # fmt: skip
    fits = {f"{name}.{key}": fit for name, blocks in dictionaries.items() for key, fit in blocks.items()}
    return fits | ({"one_vs_rest": params.one_vs_rest} if params.one_vs_rest else {})


def _fit(path: str, fit: Fit, params: Params) -> Iterator[str]:
    view = params.relabel[fit.labels]
    if fit.images != view.images:
        yield f"{path}.images: {fit.images!r} is not what the labels are of: relabel.{fit.labels} has {view.images!r}"
        return
    if not _has(params, fit.images):
        return
    yield from _head(f"{path}.net", params.nets[fit.net], 0 if path == "one_vs_rest" else shapes.n_classes(params, fit.labels))
    side, shape = fit.side or shapes.view_side(params, fit.labels), shapes.image_shape(params, fit.images)
    if side and shape:
        whitened = fit.pixels == "whitened"
        try:
            shorthand.flat_units(params.nets[fit.net], side - whitened, 8 * shape[2] if whitened else shape[2])
        except ValueError as error:
            yield f"{path}.net: {fit.net!r} does not fit images of {side} pixels: {error}"
    if side and fit.augmentation and fit.augmentation.crop_padding >= side:
        yield f"{path}.augmentation.crop_padding: {fit.augmentation.crop_padding} is not below the side of the images, {side}"
    if (there := view.test_images or shapes.images_in(params, view.images, "test")) and fit.validation >= there:
        yield f"{path}.validation: {fit.validation} leaves no test images of {there}"
    if (there := view.train_images or shapes.images_in(params, view.images, "train")) and round(there * (1 - fit.holdout)) < 1:
        yield f"{path}.holdout: {fit.holdout} leaves no training images of {there}"


def _head(path: str, net: str, classes: int) -> Iterator[str]:
    """classes: how many there are, 0 where two are made of them or that is not known."""
    if classes not in (0, 2) and not _unreadable(net) and shorthand.parse(net)[-1].kind == "sigmoid":
        yield f"{path}: {net!r} ends in one sigmoid unit, which tells two classes apart; there are {classes}"


def _learning_curve(params: Params) -> Iterator[str]:
    for key, curve in params.learning_curve.items():
        if curve.labels not in params.relabel or not _has(params, curve.images):
            continue
        there = params.relabel[curve.labels].train_images or shapes.images_in(params, curve.images, "train")
        for count in curve.counts:
            if there and count > there:
                yield f"learning_curve.{key}.counts: {count} is more than there are, {there}"


def _one_vs_rest(params: Params) -> Iterator[str]:
    if (spec := params.one_vs_rest) is None:
        return
    yield from _unknown("one_vs_rest.against", spec.against, params.train)
    if (rival := params.train.get(spec.against)) is None:
        return
    for name in ("labels", "validation"):
        if (theirs := getattr(rival, name)) != getattr(spec, name):
            yield f"one_vs_rest.against: {spec.against!r} has {name} {theirs!r}, not the same"
    if spec.against in params.evaluate.test_time_augmentation:
        yield f"one_vs_rest.against: {spec.against!r} is scored by several views (evaluate.test_time_augmentation)"


def _finetune(params: Params) -> Iterator[str]:
    for key, spec in params.finetune.items():
        path = f"finetune.{key}"
        yield from _unknown(f"{path}.start", spec.start, params.train)
        if spec.start in params.train and spec.net in params.nets and not _unreadable(params.nets[spec.net]):
            yield from _start(path, spec, params)


def _start(path: str, spec: Finetune, params: Params) -> Iterator[str]:
    base = params.train[spec.start]
    if base.images.startswith("embeddings/"):
        yield f"{path}.start: {spec.start} takes features of an embedding, not images"
    if base.net != spec.net and base.net in params.nets:
        yield f"{path}.net: {spec.net!r} is not the net of {spec.start}, {base.net!r}"
    views = [params.relabel.get(labels) for labels in (base.labels, spec.labels)]
    if all(view is not None and _has(params, view.images) for view in views):
        theirs, ours = (shapes.view_side(params, labels) for labels in (base.labels, spec.labels))
        if theirs != ours:
            yield f"{path}.start: {spec.start} was trained on images of {theirs} pixels, {spec.labels} has {ours}"
    for name in ("pixels", "side"):
        if (their := getattr(base, name)) != (our := getattr(spec, name)):
            yield f"{path}.{name}: {our!r} is not that of {spec.start}, {their!r}"
    names = ["whiten"] * (base.pixels == "whitened")
    names += [layer.name for layer in shorthand.parse(params.nets[spec.net]) if layer.kind in ("conv", "identity", "dense")]
    for name in spec.freeze:
        yield from _unknown(f"{path}.freeze", name, names)


def _tune(params: Params) -> Iterator[str]:
    for key, spec in params.tune.items():
        path = f"tune.{key}"
        yield from _unknown(f"{path}.labels", spec.labels, params.relabel)
        view = params.relabel.get(spec.labels)
        if view and spec.images != view.images:
            yield f"{path}.images: {spec.images!r} is not what the labels are of: relabel.{spec.labels} has {view.images!r}"
        there = view and _has(params, view.images) and (view.train_images or shapes.images_in(params, view.images, "train"))
        if there and not 0 < there - round(there * (1 - spec.holdout)) < there:
            yield f"{path}.holdout: {spec.holdout} leaves no images of {there} to train on, or none to choose by"
        try:
            for dropout in spec.grid.dropout:
                shorthand.parse(spec.net.format(units=1, dropout=dropout))
            if view and _has(params, view.images):
                yield from _head(f"{path}.net", spec.net.format(units=1, dropout=dropout), shapes.n_classes(params, spec.labels))
        except (ValueError, KeyError, IndexError) as error:
            yield f"{path}.net: {spec.net!r} with {{units}} and {{dropout}} in it cannot be read: {error}"


def _embed(params: Params) -> Iterator[str]:
    models = [*params.train, *params.transfer, *(f"backbones/{key}" for key in params.backbones)]
    for key, spec in params.embed.items():
        path = f"embed.{key}"
        yield from _unknown(f"{path}.images", spec.images, [*_datasets(params), *params.datasets])
        if key not in params.datasets:  # their blocks follow from what is told of datasets.<key>.backbone
            yield from _unknown(f"{path}.model", spec.model, models)
        if _has(params, spec.images):
            yield from _limits(path, spec, spec.images, params)
        net = params.nets.get(params.train[spec.model].net) if spec.model in params.train else None
        if net and not _unreadable(net):
            names = [layer.name for layer in shorthand.parse(net) if layer.kind in ("dense", "flatten", "average")]
            yield from _unknown(f"{path}.layer", spec.layer or "", names)


def _tsne(params: Params) -> Iterator[str]:
    for key, spec in params.tsne.items():
        path = f"tsne.{key}"
        yield from _unknown(f"{path}.features", spec.features, params.embed)
        if _has(params, f"embeddings/{spec.features}"):
            names = shapes.classes(params, f"embeddings/{spec.features}")
            yield from _class_numbers(f"{path}.classes", spec.classes or [], len(names))
        if spec.perplexity >= spec.images:
            yield f"{path}.perplexity: {spec.perplexity} is not below images, {spec.images}"


def _classify(params: Params) -> Iterator[str]:
    known = [*_datasets(params), *(f"embeddings/{name}" for name in params.embed)]
    for key, spec in params.classify.items():
        path = f"classify.{key}"
        for name in spec.classifiers:
            yield from _unknown(f"{path}.classifiers", name, params.classifiers)
        yield from _unknown(f"{path}.features", spec.features, known)
        if _has(params, spec.features):
            yield from _limits(path, spec, spec.features, params)


def _pictures(params: Params) -> Iterator[str]:
    """Pictures that `predict` and `style_transfer` name: shipped ones only, since DVC would not see another file change."""
    cure = "files are for the command line"
    for key, predict in params.predict.items():
        yield from _unknown(f"predict.{key}.model", predict.model, [f"backbones/{name}" for name in params.backbones])
        for picture in predict.pictures:
            if picture.partition(":")[0] not in (*SHIPPED, NAMED):
                yield (f"predict.{key}.pictures: {picture!r} is neither skimage:<name>, sklearn:<name> "
                       f"nor {NAMED}:<split>:<row>; {cure}")  # fmt: skip
    for key, style in params.style_transfer.items():
        yield from _unknown(f"style_transfer.{key}.backbone", style.backbone, params.backbones)
        for name in ("content", "style"):
            if (picture := getattr(style, name)).partition(":")[0] not in SHIPPED:
                yield f"style_transfer.{key}.{name}: {picture!r} is neither skimage:<name> nor sklearn:<name>; {cure}"


def _photographs(params: Params) -> Iterator[str]:
    for key, photos in params.datasets.items():
        path = f"datasets.{key}"
        yield from _unknown(f"{path}.recipe", photos.recipe, params.recipes)
        yield from _unknown(f"{path}.backbone", photos.backbone, params.backbones)
        if key in _datasets(params):
            yield f"{path}: download or augment has a data set of that name"
        if photos.classes and photos.recipe in params.recipes:
            yield from _head(f"{path}.recipe", params.recipes[photos.recipe].head.net, len(photos.classes))
        for name in sorted(set(photos.together) - set(photos.classes or photos.together)):
            yield f"{path}.together.{name}: is no class of this data set"
        for phase in ("head", "tune") if photos.recipe in params.recipes else ():
            changes = getattr(params.recipes[photos.recipe], phase).augmentation
            if changes and changes.crop_padding >= photos.side:
                yield (f"recipes.{photos.recipe}.{phase}.augmentation.crop_padding: {changes.crop_padding} is not below "
                       f"{path}.side, {photos.side}")  # fmt: skip
    if params.datasets and PROBE not in params.classifiers:
        yield f"classifiers.{PROBE}: is missing; it is the linear probe of every data set"


def _transfer(params: Params) -> Iterator[str]:
    for key, spec in params.transfer.items():
        yield from _unknown(f"transfer.{key}.images", spec.images, params.datasets)
        if spec.start is not None:
            yield from _unknown(f"transfer.{key}.start", spec.start, params.transfer)


def _scored(params: Params) -> Iterator[str]:
    """Trainings that `evaluate` and `report` name."""
    of_pictures = [key for key, fit in params.train.items() if not fit.images.startswith("embeddings/")]
    for key in params.evaluate.also_train:
        yield from _unknown("evaluate.also_train", key, [*params.train, *params.transfer])
    for key in params.evaluate.test_time_augmentation:
        yield from _unknown("evaluate.test_time_augmentation", key, [*of_pictures, *params.transfer])
    for key in params.report.gallery:
        yield from _unknown(f"report.gallery.{key}", key, [*params.train, *params.transfer])


def _twice(params: Params) -> Iterator[str]:
    """Experiments whose rows in the metrics table would have one name."""
    dictionaries = ("train", "repeat", "finetune", "tune", "transfer")
    rows = [(key, f"{name}.{key}") for name in dictionaries for key in getattr(params, name)]
    rows += [
        ("one_vs_rest", "one_vs_rest"),
        *((f"learning_curve_{key}", f"learning_curve.{key}") for key in params.learning_curve),
    ]
    rows += [(f"{key}_{name}", f"classify.{key}") for key, spec in params.classify.items() for name in spec.classifiers]
    for row in sorted({row for row, _ in rows}):
        if len(blocks := [block for name, block in rows if name == row]) > 1:
            yield f"{row}: is the name of two experiments in the metrics table: {' and '.join(blocks)}"


def _limits(path: str, limits: Any, images: str, params: Params) -> Iterator[str]:
    """Limits above what a data set has."""
    for split in ("train", "test"):
        limit, there = getattr(limits, f"{split}_images"), shapes.images_in(params, images, split)
        if limit and there and limit > there:
            yield f"{path}.{split}_images: {limit} is more than there are, {there}"


def _class_numbers(path: str, numbers: list[int], n_classes: int) -> Iterator[str]:
    for number in numbers:
        if not 0 <= number < n_classes:
            yield f"{path}: class {number} does not exist; classes are 0 to {n_classes - 1}"


KINDS: tuple[Callable[[Params], Iterator[str]], ...] = (
    _nets, _augment, _describe, _embed, _relabel, _trainings, _learning_curve, _one_vs_rest, _finetune, _tune, _tsne,
    _classify, _pictures, _photographs, _transfer, _scored, _twice,
)  # fmt: skip
