"""Which stages have to run, what each of them waits for, and which should begin first."""

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from relearn.checks import shapes
from relearn.params.whole import Params
from relearn.process import atomic
from relearn.scheduling import repository

# Seconds of a stage that has not run on this machine yet, by its kind; only their order of size matters.
SECONDS = {"one_vs_rest": 60.0, "learning_curve": 40.0, "train": 25.0, "tuned": 25.0, "finetune": 15.0, "repeat": 15.0,
           "head": 15.0, "tune": 15.0, "style_transfer": 15.0, "embed": 8.0, "evaluate": 4.0}  # fmt: skip
OTHERS = 2.0
TOOK = Path(".state/seconds.json")  # of each stage by scale, as it last ran here side by side with others


@dataclass(frozen=True)
class Plan:
    """The stages that may have to run: for each those of them that it waits for, and its seconds.

    order: all stages that the targets need, up to date or not, as `dvc repro` without targets takes them one after the other;
    with targets DVC's own order changes from call to call.
    """

    needs: Mapping[str, Collection[str]]
    seconds: Mapping[str, float]
    order: Sequence[str] = ()

    def rank(self) -> dict[str, float]:
        """Seconds from the beginning of each stage to the end of the longest chain of stages that wait for it."""
        users: dict[str, list[str]] = {name: [] for name in self.needs}
        for name, before in self.needs.items():
            for other in before:
                users[other].append(name)

        @cache
        def length(name: str) -> float:
            return self.seconds[name] + max(map(length, users[name]), default=0.0)

        return {name: length(name) for name in self.needs}


class Agenda:
    """The stages of a plan that have not begun, and which of them is to begin next."""

    def __init__(self, plan: Plan) -> None:
        rank = plan.rank()
        self.waits = {name: set(plan.needs[name]) for name in sorted(plan.needs, key=lambda name: -rank[name])}

    def begin(self) -> str | None:
        """Takes out the first stage of the longest chain among those that wait for nothing; None while all wait."""
        name = next((name for name, before in self.waits.items() if not before), None)
        if name is not None:
            del self.waits[name]
        return name

    def done(self, name: str) -> None:
        """Nothing waits for `name` any more."""
        for before in self.waits.values():
            before.discard(name)

    def failed(self, name: str) -> list[str]:
        """Takes out what waits for `name`, and what waits for that; gives their names."""
        users = [user for user, before in self.waits.items() if name in before]
        for user in users:
            del self.waits[user]
        return users + [further for user in users for further in self.failed(user)]


def make(targets: Collection[str], scale: str) -> Plan:
    """The plan of what `dvc repro targets` may run; nothing `needs` to run when everything is up to date.

    A stage may have to run when DVC says that it is stale, or when one that it waits for may run.
    ValueError for what DVC refuses: a target that there is not, a dvc.yaml with a mistake.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import lock_repo
    from dvc.repo.reproduce import get_active_graph, plan_repro

    due: dict[str, list[str]] = {}
    try:
        with repository.opened() as repo, lock_repo(repo):
            graph = get_active_graph(repo.index.graph)
            wanted = set(plan_repro(graph, _named(repo, targets)))
            stages = [stage for stage in plan_repro(graph) if stage in wanted]
            for stage in stages:
                before = list(graph.successors(stage))
                waits = [other.addressing for other in before if other.addressing in due]
                if waits or stage.changed(False, before):
                    due[stage.addressing] = waits
    except DvcException as error:
        raise ValueError(f"DVC: {error}") from error
    return Plan(due, expected(scale, due), [stage.addressing for stage in stages])


def _named(repo: Any, targets: Iterable[str]) -> list[Any]:
    """DVC's stages that `targets` name: those of a dvc.yaml as the index has them, since DVC would parse its lock once more."""
    from dvc.repo.reproduce import collect_stages

    read: dict[str, list[Any]] = {}
    for stage in repo.index.stages:
        read.setdefault(stage.path_in_repo, []).append(stage)
    return list(dict.fromkeys(stage for target in targets for stage in read.get(target) or collect_stages(repo, [target])))


def expected(scale: str, names: Iterable[str]) -> dict[str, float]:
    """Seconds that each stage will take: as it took here at `scale`, else by its kind."""
    known = took(scale)
    return {name: known.get(name, SECONDS.get(name.rpartition(":")[2].partition("@")[0], OTHERS)) for name in names}


def note(scale: str, seconds: Mapping[str, float]) -> None:
    """Keeps how long stages took, for the next plan."""
    noted = atomic.read_noted(TOOK)
    noted[scale] = noted.get(scale, {}) | {name: round(value, 1) for name, value in seconds.items()}
    atomic.write_text(TOOK, json.dumps(noted))


def took(scale: str) -> dict[str, float]:
    """Seconds of the stages that have run here at `scale`."""
    return atomic.read_noted(TOOK).get(scale, {})


def trainings(kind: str, key: str, settings: Params) -> tuple[Any, int] | None:
    """The block of params.yaml that a stage trains by, and how many trainings it is; None for a stage that trains nothing."""
    blocks: Any = getattr(settings, kind, None)
    spec: Any = blocks.get(key) if isinstance(blocks, dict) else blocks
    if spec is None:
        return None
    match kind:
        case "train" | "transfer":
            return spec, 1
        case "repeat" | "finetune":
            return spec, spec.repeats
        case "learning_curve":
            return spec, spec.repeats * len(spec.counts)
        case "one_vs_rest":
            return spec, len(shapes.classes(settings, spec.images))
        case "tune":
            return spec, math.prod(map(len, spec.grid.model_dump().values()))
    return None
