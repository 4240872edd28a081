"""params.yaml as a whole: which dictionaries there are, and how the file is read.

What a block says stands in its kind's module. Here is nothing that a result depends on beside the values themselves.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from ruamel.yaml import YAML

from relearn.params import transfer
from relearn.params.base import Block, Compute, Key, ParamsError, Place, Scale, at_scale
from relearn.params.data import Augment, Backbone, Describe, Download, Relabel
from relearn.params.photos import Archive, PhotoSet
from relearn.params.reporting import Predict, Report, StyleTransfer
from relearn.params.training import (
    Classifier,
    Classify,
    Embed,
    Evaluate,
    Finetune,
    Fit,
    LearningCurve,
    OneVsRest,
    Repeat,
    Tsne,
    Tune,
)
from relearn.params.transfer import Recipe, Transfer

FILE = Path("params.yaml")
HOLDOUT = "data/{images}/holdout.json"  # written by gather where the last training images are a validation split
SHARED = ("scale", "seed", "compute", "backbones", "imagenet_classes", "classifiers")  # with the photographs' pipeline
OF_A_PROTOCOL = ("learning_curve", "repeat", "finetune")  # dictionaries whose blocks take numbers from `protocols`


class Params(Block):
    """Every number of a pipeline. Only the first three are needed; a pipeline has the dictionaries that it works through."""

    scale: Scale
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    compute: Compute
    nets: dict[Key, str] = {}
    backbones: dict[Key, Backbone] = {}
    imagenet_classes: Place | None = None
    download: dict[Key, Download] = {}
    archives: dict[Key, Archive] = {}
    augment: dict[Key, Augment] = {}
    describe: dict[Key, Describe] = {}
    relabel: dict[Key, Relabel] = {}
    train: dict[Key, Fit] = {}
    evaluate: Evaluate = Evaluate()
    one_vs_rest: OneVsRest | None = None
    protocols: dict[Annotated[str, StringConstraints(pattern=r"^\w+$")], dict[str, Any]] = {}
    learning_curve: dict[Key, LearningCurve] = {}
    repeat: dict[Key, Repeat] = {}
    embed: dict[Key, Embed] = {}
    tsne: dict[Key, Tsne] = {}
    classifiers: dict[Key, Classifier] = {}
    classify: dict[Key, Classify] = {}
    tune: dict[Key, Tune] = {}
    finetune: dict[Key, Finetune] = {}
    predict: dict[Key, Predict] = {}
    style_transfer: dict[Key, StyleTransfer] = {}
    recipes: dict[Key, Recipe] = {}
    datasets: dict[Key, PhotoSet] = {}
    transfer: dict[Key, Transfer] = {}
    report: Report = Report()

    def experiment(self, dictionary: str, key: str) -> Any:
        """The block `<dictionary>.<key>`. Raises ParamsError naming the known keys when there is none."""
        blocks = getattr(self, dictionary)
        if key not in blocks:
            known = ", ".join(blocks) or "none here (those of photographs run in photos/)"
            raise ParamsError(f"{dictionary}.{key}: no such experiment; params.yaml has {known}")
        return blocks[key]

    def single(self, name: str) -> Any:
        """The block `<name>`, of which a pipeline has one at most. Raises ParamsError when it has none."""
        if (block := getattr(self, name)) is None:
            raise ParamsError(f"{name}: is missing")
        return block


def read(path: Path = FILE) -> Any:
    """What stands in params.yaml, not yet checked; for photographs with what ../params.yaml shares with them.

    YAML 1.2, as DVC reads it: 1e-05 is a number. Raises OSError, YAMLError, or ParamsError for a value in both files.
    """
    yaml = YAML(typ="safe", pure=True)
    raw = yaml.load(path)
    if not isinstance(raw, dict) or "datasets" not in raw or not (common := path.parent / ".." / FILE.name).is_file():
        return raw
    if twice := sorted(raw.keys() & set(SHARED)):
        raise ParamsError("\n".join(f"{key}: stands in {common}, for both pipelines; take it out of {path}" for key in twice))
    shared = yaml.load(common)
    return {key: shared[key] for key in SHARED if key in shared} | raw if isinstance(shared, dict) else raw


def resolved(raw: Mapping[str, Any], scale: str) -> dict[str, Any]:
    """The values at `scale`; blocks with a `protocol` have its numbers, too, where they say no others."""
    values = at_scale(dict(raw), scale)
    protocols = values.get("protocols")
    for dictionary in OF_A_PROTOCOL:
        blocks = values.get(dictionary)
        for key, block in blocks.items() if isinstance(blocks, dict) else ():
            name = block.get("protocol") if isinstance(block, dict) else None
            if isinstance(protocols, dict) and isinstance(name, str) and isinstance(numbers := protocols.get(name), dict):
                blocks[key] = numbers | block
    return values


def with_recipes(params: Params) -> Params:
    """The parameters with the blocks that each data set of photographs gets from its recipe.

    Where photographs came with a validation split, that is the holdout of their trainings, whatever the recipe says.
    """
    own = transfer.experiments(params.datasets, params.recipes)
    blocks = {name: getattr(params, name) | own[name] for name in own}
    for key, spec in blocks["transfer"].items():
        with contextlib.suppress(FileNotFoundError):  # most come without, or are not read yet
            about = json.loads(Path(HOLDOUT.format(images=spec.images)).read_text())
            blocks["transfer"][key] = spec.model_copy(update={"holdout": about["holdout_images"] / about["train_images"]})
    return params.model_copy(update=blocks)
