"""Blocks of what is looked at: pictures that are classified, style transfers, the report."""

from typing import Annotated, Literal

from pydantic import Field

from relearn.params.base import Block, Count, Key, Model


class Predict(Block):
    """Pictures that a model or backbone classifies, for the report: skimage:<name>, sklearn:<name>, <data>:<split>:<row>."""

    model: Model
    pictures: Annotated[list[str], Field(min_length=1)]


class StyleTransfer(Block):
    """Content of one picture, style of another; each a file, skimage:<name> or sklearn:<name>."""

    content: str
    style: str
    backbone: Key
    content_layer: str
    style_layers: Annotated[list[str], Field(min_length=1)]
    side: Count
    steps: Count
    optimizer: Literal["adam", "lbfgs"]
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    content_weight: Annotated[float, Field(ge=0)]
    style_weight: Annotated[float, Field(ge=0)]
    total_variation_weight: Annotated[float, Field(ge=0)]


class Report(Block):
    """What the page shows beside the figures."""

    gallery: dict[Key, Annotated[int, Field(ge=1, le=24)]] = {}  # most confident mistakes shown; `evaluate` keeps 24
