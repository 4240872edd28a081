"""Check params.yaml and printed.yaml of both pipelines and claims.yaml, and say what is in them. All mistakes are told at once.

    python -m tools.check

Reads  params.yaml, printed.yaml, dvc.yaml, dvc.lock, the same four in photos/; claims.yaml; photographs' data where
       gathered; .state/
Writes nothing

Then it says what will run: stages, trainings, and the minutes these take by the last run on this machine.
"""

import contextlib
import math
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from relearn import checks
from relearn.checks import folders
from relearn.claims import schema
from relearn.data import arrays, places, processor
from relearn.params.base import ParamsError
from relearn.params.whole import Params
from relearn.process import command
from relearn.report import printed
from relearn.scheduling import plans

COUNTED = ("train", "repeat", "finetune", "transfer", "classify")
NAMED = 8  # claims, or stages with trainings, that are named one by one


def main() -> None:
    for pipeline, settings in told().items():
        for line in work(f"{pipeline}dvc.yaml", settings):
            print(line, flush=True)


def told() -> dict[str, Params]:
    """Prints what is in the pipelines' parameters, and gives them. ParamsError with a line for each mistake."""
    os.chdir(places.top())
    if not Path("photos").is_dir():
        raise ValueError("this is not the project: call it in its folder")
    lines: list[str] = []
    mistakes: list[str] = []
    written: set[str] = set()
    pipelines: dict[str, Params] = {}
    for folder in ("", "photos/"):
        prefix = folder.replace("/", ": ")
        with contextlib.chdir(folder or "."):
            try:
                settings = pipelines[folder] = checks.load()
                lines += [folder + line for line in [*described(settings), *gathered(settings)]]
            except ParamsError as error:  # one in what both pipelines share is told once
                mistakes += [prefix + line for line in str(error).splitlines() if line.removeprefix("../") not in mistakes]
            else:
                written |= printed.metric_files(settings) | {f"history/{key}" for key in [*settings.train, *settings.transfer]}
                for line in folders.warnings(settings):
                    print(f"warning: {prefix}{line}", file=sys.stderr)
    try:
        lines += claimed(written)
    except ParamsError as error:
        mistakes += [line for line in str(error).splitlines() if line not in mistakes]
    if mistakes:
        raise ParamsError("\n".join(mistakes))
    print("\n".join(lines), flush=True)
    return pipelines


def described(settings: Params) -> list[str]:
    """What is in the two files of a pipeline. ParamsError with a line for each mistake in printed.yaml."""
    rows = printed.load(settings)
    counts = {name: len(getattr(settings, name)) for name in COUNTED}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    lines = [f"params.yaml is valid: scale {settings.scale}, seed {settings.seed}; {listed}; {len(rows)} printed numbers"]
    if left_out := len(printed.read()) - len(rows):
        lines.append(f"printed.yaml: {left_out} numbers have no experiment in params.yaml, and are left out")
    return lines


def claimed(written: set[str]) -> list[str]:
    """A line about claims whose experiments are in neither pipeline, if any. ParamsError with a line for each mistake."""
    claims = schema.read()
    ids = sorted({row.id for folder in ("", "photos") for row in printed.read(Path(folder) / printed.FILE)})
    if unknown := [f"claims.yaml: {key}.chapter: {claim.chapter!r} is none of {', '.join(ids)}"
                   for key, claim in claims.items() if claim.chapter not in ids]:  # fmt: skip
        raise ParamsError("\n".join(unknown))
    without = {
        key: [each for each in [*claim.first, *(claim.second or [])] if each.partition(".")[0] not in written]
        for key, claim in claims.items()
    }
    named = [f"{key} ({', '.join(measures)})" for key, measures in without.items() if measures]
    more = f" and {len(named) - NAMED} more claims" if len(named) > NAMED else ""
    about = f"claims.yaml: without an experiment in params.yaml (taken out, or misspelt): {', '.join(named[:NAMED])}{more}"
    return [about] if named else []


def gathered(settings: Params) -> Iterator[str]:
    """A line for each data set of photographs that has been read already: how many of each class."""
    for key in settings.datasets:
        with contextlib.suppress(OSError, ValueError):
            names = arrays.read_classes(arrays.DATA / key)
            counts = [np.bincount(arrays.open_dataset(key, split)[1], minlength=len(names)) for split in arrays.SPLITS]
            pairs = [f"{train} + {test}" for train, test in zip(*counts, strict=True)]
            shown = ", ".join(f"{name} {pair}" for name, pair in zip(names, pairs, strict=True))
            if len(set(pairs)) == 1:
                shown = f"{pairs[0]} of each of {len(names)} classes"
            yield f"data/{key}: photographs to train + to test, as last gathered: {shown}"


def work(pipeline: str, settings: Params) -> Iterator[str]:
    """What will run of a dvc.yaml: the stages, those of them that train, and how long they took here before."""
    if not Path(pipeline).is_file():
        return
    try:
        plan = plans.make([pipeline], settings.scale)
    except ValueError as error:
        print(f"warning: {pipeline}: {error}", file=sys.stderr)
        return
    known = {name: seconds for name, seconds in plans.took(settings.scale).items() if name in plan.needs}
    yield (
        f"{pipeline}: {len(plan.needs)} stages may have to run{estimate(plan, known)}"
        if plan.needs
        else f"{pipeline}: is up to date"
    )
    trained = {name: text for name in plan.needs if (text := training(name, settings))}
    for name, text in list(trained.items())[:NAMED]:
        yield f"  {name}: {text}" + (f", took {known[name]:.0f} s here" if name in known else "")
    if len(trained) > NAMED:
        yield f"  and {len(trained) - NAMED} more that train"


def estimate(plan: plans.Plan, known: Mapping[str, float]) -> str:
    """About how long they take, side by side, by the last run here; empty where none of them has run here."""
    if not known:
        return ""
    took_here = {name: known.get(name, 0.0) for name in plan.needs}
    longest = max(plans.Plan(plan.needs, took_here).rank().values())
    minutes = math.ceil(max(longest, sum(known.values()) / processor.cores()) / 60)
    new = len(plan.needs) - len(known)
    return f", about {minutes} min by the last run here" + (f"; {new} of them have not run here yet" if new else "")


def training(stage: str, settings: Params) -> str:
    """How many trainings of how many epochs a stage is; empty for one that trains nothing."""
    kind, _, key = stage.rpartition(":")[2].partition("@")
    if kind in ("head", "tuned"):
        kind, key = "transfer", f"{key}_{kind}"
    if (found := plans.trainings(kind, key, settings)) is None:
        return ""
    spec, count = found
    return f"{count} training{'s' * (count > 1)} of {spec.epochs} epoch{'s' * (spec.epochs > 1)}"


if __name__ == "__main__":
    command.run(main)
