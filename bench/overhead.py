"""Overhead: what `dvc repro` and `make repro` cost beside the work inside the stages, with nothing to do, and how both grow."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ruamel.yaml import YAML

from bench.lib import rows, workplaces
from bench.lib.rows import Row
from relearn.data import pins
from relearn.params import whole
from relearn.process import timings

FIRST = "shallow_adadelta"  # of `train`; the others are copies of its block
NEEDED = {"nets", "download", "relabel", "train"}  # by an experiment of `train`
DVC = ("dvc", "repro")
MAKE = ("make", "-o", f"{sys.prefix}/.installed", f"VENV={sys.prefix}", "repro")  # of a project that is set up
COMMANDS = {"dvc repro": DVC, "make repro": MAKE}
BEGINS = re.compile(r"^Running stage| begins$", re.MULTILINE)  # what the two say of a stage
STAND_IN = """import pathlib, sys
for path in map(pathlib.Path, sys.argv[1:]):
    path = path if path.suffix else path / "a_file"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("no stage has made this\\n")
"""


TARGETS = ("evaluate@multiclass", "evaluate@cifar_simple")  # for the share of overhead, at scale quick
REPEATS = 3  # of runs with nothing to do
GROWTH = {10: 3, 100: 3, 500: 1}  # repeats by experiments


def measure() -> dict[str, Any]:
    """Seconds of overhead a stage; of a run with nothing to do, in this project and with ever more experiments."""
    figures: dict[str, Any] = run()
    print(f"  overhead of {len(TARGETS)} targets: {figures}", flush=True)
    figures["growth"] = {}
    for experiments, repeats in GROWTH.items():
        figures["growth"][str(experiments)] = grown(experiments, repeats)
        print(f"  overhead, {experiments} experiments: {figures['growth'][str(experiments)]}", flush=True)
    return figures


def table(figures: Mapping[str, Any]) -> list[Row]:
    each = f"{figures['seconds_a_stage']:.1f} s, {rows.percent(figures['share'])} of {figures['seconds']:.0f} s"
    alone, nothing = f"{figures['dvc_seconds_a_stage']:.1f} s", figures["nothing_to_do_seconds"]
    stages, idle = figures["all_stages"], "commands that do nothing"
    lines = [
        Row(f"starts and DVC, a stage, in a run of {figures['stages']} stages, whose dvc.lock is small", "", each),
        Row(f"DVC alone, a stage, in a run of {stages} stages", idle, alone),
        *(Row(f"`{command}` with nothing to do, {stages} stages", "", f"{seconds:.1f} s", "< 3 s")
          for command, seconds in nothing.items()),
    ]  # fmt: skip
    growth = figures["growth"]
    for what, name in (
        ("with nothing to do", "nothing_to_do_seconds"),
        ("after one experiment was changed", "one_changed_seconds"),
    ):
        for command in nothing:
            seconds = " / ".join(f"{one[name][command]:.1f} s" for one in growth.values())
            counts = " / ".join(growth)
            goal = "20 s for 500" if name == "nothing_to_do_seconds" and command == "make repro" else ""
            what_of_it = f"`{command}` {what}, `train` of {counts} experiments"
            lines.append(Row(what_of_it, "commands that train nothing", seconds, goal))
    return lines


def run() -> dict[str, Any]:
    """TARGETS run in a clone without cache: wall time, and the part of it that the stages' own work is not."""
    with workplaces.clone(lambda settings: settings.update(scale="quick")) as folder:
        seconds = repro(folder, *TARGETS)
        inside = [float(json.loads(path.read_text())["seconds"]) for path in (folder / timings.FOLDER).rglob("*.json")]
    return beside(seconds, inside) | nothing_to_do()


def beside(seconds: float, inside: Sequence[float]) -> dict[str, Any]:
    """Overhead of a run of `seconds` in which stages worked for the seconds `inside`."""
    over = seconds - sum(inside)
    return {"seconds": seconds, "stages": len(inside), "seconds_a_stage": over / len(inside), "share": over / seconds}


def nothing_to_do() -> dict[str, Any]:
    """The whole pipeline with commands that write small files by `dvc repro`, and both commands when all is up to date."""
    with workplaces.clone(lambda settings: None) as folder:
        stand_in(folder)
        first = repro(folder)
        seconds = {
            name: median(repro(folder, command=command, runs=0) for _ in range(REPEATS)) for name, command in COMMANDS.items()
        }
        stages = len(locked(folder))
        return {"all_stages": stages, "dvc_seconds_a_stage": first / stages, "nothing_to_do_seconds": seconds}


def grown(experiments: int, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds of both commands for that many trainings, nothing to do (the median) and one changed; none was ever trained.

    One is run with a command that writes small files. What dvc.lock says of the others is copied from it, and a first run,
    which is not counted, lets DVC look at their outputs once.
    """
    figures: dict[str, dict[str, float]] = {"nothing_to_do_seconds": {}, "one_changed_seconds": {}}
    with workplaces.clone(lambda settings: multiplied(settings, experiments)) as folder:
        stand_in(folder, only="train")
        repro(folder, f"train@{FIRST}", runs=1)
        multiply_lock(folder)
        repro(folder, runs=0)
        path = folder / "params.yaml"
        for name, command in COMMANDS.items():
            seconds = median(repro(folder, command=command, runs=0) for _ in range(repeats))
            figures["nothing_to_do_seconds"][name] = seconds
        for name, command in COMMANDS.items():
            path.write_text(path.read_text().replace("epochs: 60", "epochs: 61", 1))
            figures["one_changed_seconds"][name] = repro(folder, command=command, runs=1)
    return figures


def multiplied(settings: dict[str, Any], experiments: int) -> None:
    """Params whose `train` has that many copies of one experiment; without the dictionaries that name other ones."""
    block = settings["train"][FIRST] | {"epochs": 60}
    labels = block["labels"]
    for name in settings.keys() - NEEDED - set(whole.SHARED):
        del settings[name]
    settings["relabel"] = {labels: settings["relabel"][labels]}
    settings["train"] = {key: dict(block) for key in (FIRST, *(f"copy_{number}" for number in range(1, experiments)))}


def stand_in(folder: Path, only: str | None = None) -> None:
    """Puts a command that writes small files in the place of each stage's in dvc.yaml; with `only`, keeps that stage alone.

    A page of the report is there, which `make repro` would make from figures that are none.
    """
    page = folder / "reports" / whole.read(folder / whole.FILE)["scale"] / "index.html"
    page.parent.mkdir(parents=True)
    page.touch()
    (folder / "stand_in.py").write_text(STAND_IN)
    path = folder / "dvc.yaml"
    pipeline = YAML(typ="safe").load(path.read_text())
    pipeline = {"stages": {name: stage for name, stage in pipeline["stages"].items() if only in (None, name)}}
    for stage in pipeline["stages"].values():
        definition = stage.get("do", stage)
        outs = [*definition.get("outs", []), *definition.get("metrics", [])]
        paths = " ".join(next(iter(out)) if isinstance(out, dict) else out for out in outs)
        definition["cmd"] = f"{sys.executable} stand_in.py {paths}"
        for dep in definition["deps"] if only else ():
            if dep.startswith("data/"):
                place = folder / dep.replace("${item.images}", "cifar10").replace("${item.labels}", "cifar10_shuffled")
                place.mkdir(parents=True)
                (place / "a_file").write_text("data\n")
    with path.open("w") as stream:
        YAML().dump(pipeline, stream)


def multiply_lock(folder: Path) -> None:
    """Makes the outputs and lines of dvc.lock of the copies of the one experiment that has run, as if they had, too."""
    path = folder / "dvc.lock"
    text = path.read_text()
    head, mark, entry = text.partition(f"  train@{FIRST}:\n")
    keys = list(YAML(typ="safe").load((folder / "params.yaml").read_text())["train"])
    path.write_text(head + "".join((mark + entry).replace(FIRST, key) for key in keys))
    outs = re.findall(rf"path: (\S*{FIRST}\S*)", entry.partition("    outs:")[2])
    for key in keys[1:]:
        for out in outs:
            shutil.copyfile(folder / out, folder / out.replace(FIRST, key))


def locked(folder: Path) -> dict[str, Any]:
    """The stages of dvc.lock."""
    return dict(YAML(typ="safe").load((folder / "dvc.lock").read_text())["stages"])


def repro(folder: Path, *targets: str, command: Sequence[str] = DVC, runs: int | None = None) -> float:
    """Wall-clock seconds of a command in `folder`. ValueError when it fails, or runs another number of stages than `runs`."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),  # the stages' code is the clone's
        "DATASETS_DIR": os.environ.get("DATASETS_DIR") or str(workplaces.ROOT / ".cache/downloads"),
    }
    for name in (pins.MARK, "MAKEFLAGS"):  # stages pin what their parameters say; `make bench` has flags of its own
        environment.pop(name, None)
    started = time.perf_counter()
    done = subprocess.run([*command, *targets], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise ValueError(f"{' '.join(command)} failed: {(done.stderr.strip() or done.stdout)[-1000:]}")
    if runs is not None and (ran := len(BEGINS.findall(done.stdout))) != runs:
        raise ValueError(f"{' '.join(command)} ran {ran} stages in place of {runs}")
    return seconds
