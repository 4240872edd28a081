"""Blocks of photographs: archives, and data sets in class folders."""

from typing import Annotated, Literal

from pydantic import Field

from relearn.params.base import Block, ClassName, Count, Key, Place


class Archive(Block):
    """Photographs in one file, fetched to data/archives/<key>, from the first of its places that serves it."""

    sources: Annotated[list[Place], Field(min_length=1)]


class PhotoSet(Block):
    """A folder (or .tar, .tgz, .zip) of photographs with a folder a class, or train/, val/ and test/ with such folders."""

    folder: str
    test_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None  # for a folder without train/ and test/
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=256)] | None = None
    images_per_class: Count | None = None  # class k has the files numbered from k * this + 1 on
    together: dict[ClassName, list[Annotated[list[int], Field(min_length=2)]]] = {}  # numbers of near-identical files
    limit: Count | None = None  # images a class and split
    side: Count
    fit: Literal["crop", "stretch"] = "crop"
    backbone: Key
    recipe: Key
