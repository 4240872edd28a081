"""Pipeline: stages side by side, one after the other, and by `dvc repro`, each from nothing."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from bench import overhead
from bench.lib import rows, trials, workplaces
from bench.lib.rows import Row
from relearn.process import timings

REPRO = (sys.executable, "-m", "tools.repro", "--jobs")
WAYS = {"dvc repro": overhead.DVC, "JOBS=1": (*REPRO, "1"), "JOBS=2": (*REPRO, "2")}
JOBS = {"dvc repro": 1, "JOBS=1": 1, "JOBS=2": 2}


@dataclass(frozen=True)
class Size:
    """The scale, what is run, how often."""

    scale: str
    targets: Sequence[str]
    repeats: int


SOME = ("evaluate@shallow_adadelta", "evaluate@cifar_simple", "evaluate@cifar_deeper", "finetune@freeze_both", "classify@probe")
FULL = Size("quick", SOME, 1)
WHOLE = Size("quick", (), 1)  # of all stages: 45 minutes


def measure(size: Size = FULL) -> dict[str, Any]:
    """Seconds of each way, stages, the share of starts and DVC. ValueError unless dvc.lock has the same entries in the end."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    shares: dict[str, list[float]] = {name: [] for name in WAYS}
    locks = []
    for _ in range(size.repeats):
        for name, command in WAYS.items():
            with workplaces.clone(lambda settings: settings.update(scale=size.scale)) as folder:
                seconds[name].append(overhead.repro(folder, *size.targets, command=command))
                inside = [float(json.loads(path.read_text())["seconds"]) for path in (folder / timings.FOLDER).rglob("*.json")]
                shares[name].append(overhead.beside(JOBS[name] * seconds[name][-1], inside)["share"])
                locks.append(YAML(typ="safe").load(folder / "dvc.lock"))  # parsed: DVC orders the stages of targets by chance
            print(f"  {name}: {seconds[name][-1]:.1f} s, {rows.percent(shares[name][-1])} of it starts and DVC", flush=True)
    if any(lock != locks[0] for lock in locks):
        raise ValueError("the ways end with different entries in dvc.lock")
    return {"scale": size.scale, "stages": len(inside)} | compared(seconds, shares)


def compared(seconds: Mapping[str, Sequence[float]], shares: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """How many times as fast as `dvc repro` each way is; medians of the shares."""
    return {
        "seconds": dict(seconds),
        "times_dvc": {name: trials.times(values, seconds["dvc repro"]) for name, values in seconds.items()},
        "shares": {name: sorted(values)[len(values) // 2] for name, values in shares.items()},
    }


def table(figures: Mapping[str, Any]) -> list[Row]:
    took = {name: min(values) for name, values in figures["seconds"].items()}
    share = {name: rows.percent(value) for name, value in figures["shares"].items()}
    against = f"`dvc repro`: {took['dvc repro']:.0f} s, {share['dvc repro']} of it starts and DVC"
    return [
        Row(f"`make repro` {name} of {figures['stages']} stages at scale {figures['scale']}", against,
            f"{rows.times(figures['times_dvc'][name])}: {took[name]:.0f} s, {share[name]} of it starts and DVC", goal)
        for name, goal in (("JOBS=1", ""), ("JOBS=2", "1.4 x"))
    ]  # fmt: skip
