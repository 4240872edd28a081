"""What can be told of data sets and views from params.yaml alone: image shapes, class names, counts."""

from relearn.params.whole import Params


def image_shape(params: Params, images: str) -> list[int] | None:
    """(height, width, channels) of a data set's images; None for an embedding, which only its file knows."""
    if images.startswith("embeddings/"):
        return None
    if images in params.datasets:
        return [params.datasets[images].side] * 2 + [3]
    if images in params.augment:
        spec = params.augment[images]
        return [spec.crop, spec.crop, params.download[spec.images].image_shape[2]]
    return params.download[images].image_shape


def classes(params: Params, images: str) -> list[str]:
    """Class names of a data set, the label being the place in the list."""
    if images.startswith("embeddings/"):
        return classes(params, params.embed[images.removeprefix("embeddings/")].images)
    return params.download[params.augment[images].images if images in params.augment else images].classes


def n_classes(params: Params, labels: str) -> int:
    """How many classes a view has."""
    view = params.relabel[labels]
    return len(view.keep) if view.keep else 2 if view.positives else len(classes(params, view.images))


def images_in(params: Params, images: str, split: str) -> int | None:
    """How many images a data set's split has; None for photographs, which are counted when they are read."""
    if images in params.datasets:
        return None
    if images.startswith("embeddings/"):
        embed = params.embed[images.removeprefix("embeddings/")]
        return getattr(embed, f"{split}_images") or images_in(params, embed.images, split)
    if images in params.augment:
        spec = params.augment[images]
        own = spec.source_images * (1 + spec.copies)
        return own if split == "train" else images_in(params, spec.images, split)
    return int(getattr(params.download[images], f"{split}_images"))


def view_side(params: Params, labels: str) -> int | None:
    """Height and width of a view's images, cropped; None for a view of an embedding."""
    view = params.relabel[labels]
    shape = image_shape(params, view.images)
    return view.crop or (shape[0] if shape else None)
