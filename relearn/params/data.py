"""Blocks of data sets: where they come from, how they are augmented (chapter 5), described and relabelled."""

import typing
from typing import Annotated, Literal

from pydantic import Field

from relearn.params.base import Block, ClassName, Count, Images, Key, Place, Probability, Sha256

ArrayName = Literal["train_images", "train_labels", "test_images", "test_labels"]
ARRAYS: tuple[ArrayName, ...] = typing.get_args(ArrayName)


class Source(Place):
    """A place that serves a data set, and the reader of its files (relearn/sources/archives.py)."""

    reader: Literal["cifar10_binary", "cifar10_png", "mnist_idx", "mnist_pickle"]


class Download(Block):
    """A data set of the books: what it must be, and the places that serve it."""

    classes: Annotated[list[ClassName], Field(min_length=2, max_length=256)]
    image_shape: Annotated[list[Count], Field(min_length=3, max_length=3)]
    train_images: Count
    test_images: Count
    sources: Annotated[list[Source], Field(min_length=1)]
    arrays: dict[ArrayName, Sha256]


class Augment(Block):
    """Chapter 5: one plain and `copies` altered crops of each image (K5)."""

    images: Key
    source_images: Count
    crop: Count
    copies: Annotated[int, Field(ge=0, le=255)]
    mirror_probability: Probability
    rotate_probability: Probability
    max_degrees: Annotated[float, Field(ge=0, le=45)]
    max_offset: Annotated[int, Field(ge=0)]


class Relabel(Block):
    """Rows of a data set with new labels: `keep` takes some classes, `positives` makes two of all; one of them, or neither."""

    images: Images
    keep: Annotated[list[int], Field(min_length=2)] | None = None
    positives: Annotated[list[int], Field(min_length=1)] | None = None
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=2)] | None = None
    shuffle: bool = False
    train_images: Count | None = None
    test_images: Count | None = None
    crop: Count | None = None


class Describe(Block):
    """A look at the first images of a data set, as stored and as a backbone gets them (R0)."""

    images: Key
    train_images: Count
    test_images: Count
    sheet: Count  # so many of the first training images are shown
    example: Annotated[int, Field(ge=0)]  # row of the training image that is shown scaled
    side: Count  # to this, in pixels


class Backbone(Block):
    """A network with weights from elsewhere; `fetch` writes it to models/backbones/<key>.keras.

    architecture: efficientnet_lite0 to 2, vgg16_hed, or a network of keras.applications (resnet50, vgg16, ...).
    weights: imagenet, random, or the path of a weights file.
    """

    architecture: str
    weights: str = "imagenet"
    sources: list[Place] = []
