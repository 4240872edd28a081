"""Blocks of recipes, by which photographs are trained in two phases, and the experiments that each data set gets."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from relearn.params.base import Block, Key
from relearn.params.photos import PhotoSet
from relearn.params.training import Classify, Embed, Phase

PROBE = "logistic_regression"  # the linear probe of every data set

LayerName = str | Annotated[int, Field(ge=0)]


class RecipePhase(Phase):
    """copies: so many augmented copies of each image, made once, in place of new ones in every epoch."""

    copies: Annotated[int, Field(ge=0)] = 0


class HeadPhase(RecipePhase):
    """The first phase: the head `net` on the frozen backbone."""

    net: str


class TunePhase(RecipePhase):
    """The second phase: the backbone's layers from `train_from` (a name or an index) on are trained, too."""

    train_from: LayerName


class Recipe(Block):
    """How a data set of photographs is trained, in two phases."""

    head: HeadPhase
    tune: TunePhase


class Transfer(RecipePhase):
    """One phase on one data set: from backbone `backbone` with a fresh head `net`, or on from transfer `start`.

    train_from: name or index of the first backbone layer that is trained; None: only the head is.
    """

    images: Key
    backbone: Key | None = None
    start: Key | None = None
    net: str | None = None
    train_from: LayerName | None = None


def experiments(datasets: Mapping[str, PhotoSet], recipes: Mapping[str, Recipe]) -> dict[str, dict[str, Any]]:
    """The blocks of `embed`, `classify` and `transfer` that each data set gets from its recipe; none without one."""
    blocks: dict[str, dict[str, Any]] = {"embed": {}, "classify": {}, "transfer": {}}
    for key, photos in datasets.items():
        if (recipe := recipes.get(photos.recipe)) is None:
            continue
        blocks["embed"][key] = Embed(images=key, model=f"backbones/{photos.backbone}", side=photos.side, pooled=True)
        blocks["classify"][f"{key}_probe"] = Classify(features=f"embeddings/{key}", classifiers=[PROBE])
        head, tuned = f"{key}_head", f"{key}_tuned"
        blocks["transfer"][head] = Transfer(**dict(recipe.head), images=key, backbone=photos.backbone)
        blocks["transfer"][tuned] = Transfer(**dict(recipe.tune), images=key, start=head)
    return blocks
