"""The pipeline with one experiment of each kind, at scale smoke: for tests, and for runs that are killed and repeated."""

from collections.abc import Collection, Iterable
from typing import Any

from tests.support.clones import Settings

# Of the experiments that differ in numbers only, the first that another one needs; the relabellings are those that these use.
KEPT = {
    "download": ("cifar10", "mnist"),
    "backbones": ("lite0", "hed"),
    "augment": ("cifar10_augmented",),
    "describe": ("first_2000",),
    "train": ("multiclass", "animal_vehicle", "vehicles", "lenet", "cifar_deeper_augmented", "fast94", "head_rmsprop"),
    "learning_curve": ("lenet",),
    "embed": ("mnist", "first_2000"),
    "tsne": ("digits_3_5_8",),
    "classify": ("embedded", "raw", "probe"),
    "tune": ("head_grid",),
    "repeat": ("scratch_shallow",),
    "finetune": ("freeze_both",),
    "predict": ("photographs",),
    "style_transfer": ("pagoda",),
}
GRID = {"units": [256, 512], "dropout": [0.1], "batch": [30]}
TRAINED = ("train", "learning_curve", "tune", "repeat", "finetune")


def prune(settings: Settings) -> None:
    """Leaves what KEPT has of params.yaml, and what these experiments need. KeyError when one of them is not there."""
    settings["scale"] = "smoke"
    for dictionary, keys in KEPT.items():
        leave(settings[dictionary], keys)
    labels = {block["labels"] for dictionary in TRAINED for block in settings[dictionary].values()}
    leave(settings["relabel"], labels | {settings["one_vs_rest"]["labels"]})
    settings["evaluate"]["also_train"][:] = [key for key in settings["evaluate"]["also_train"] if key in settings["train"]]
    views = settings["evaluate"]["test_time_augmentation"]
    leave(views, views.keys() & settings["train"].keys())
    for search in settings["tune"].values():
        search["grid"].update(GRID)
    leave(settings["report"]["gallery"], settings["report"]["gallery"].keys() & settings["train"].keys())


def leave(block: dict[str, Any], keys: Iterable[str]) -> None:
    """Takes all other keys out of a block, in place: so its comments stay."""
    keys = set(keys)
    if missing := keys - block.keys():
        raise KeyError(f"params.yaml has no {', '.join(sorted(missing))}")
    for key in block.keys() - keys:
        del block[key]


def prune_plots(pipeline: Settings) -> None:
    """Takes out of dvc.yaml what it plots of experiments that `prune` takes out."""
    known = {"one_vs_rest"}.union(*KEPT.values())
    for plot in pipeline["plots"]:
        for spec in plot.values():
            if isinstance(spec.get("y"), dict):
                spec["y"] = {path: column for path, column in spec["y"].items() if is_of(path, known)}
    pipeline["plots"] = [plot for plot in pipeline["plots"] if all(shows(name, spec, known) for name, spec in plot.items())]


def shows(name: str, spec: dict[str, Any], known: Collection[str]) -> bool:
    """Whether a plot, of one file or of several, is of an experiment in `known`."""
    return bool(spec["y"]) if isinstance(spec.get("y"), dict) else is_of(name, known)


def is_of(path: str, known: Collection[str]) -> bool:
    """Whether plots/<kind>/<key>.csv is of an experiment in `known`."""
    return path.rpartition("/")[2].removesuffix(".csv") in known
