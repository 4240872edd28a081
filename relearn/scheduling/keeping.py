"""Copies what a stage wrote at scale book to results/book when the stage has ended, and notes the machine that ran it.

A stage has ended when its dvc.lock names it and the files on disk are those that it names.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Iterable
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from relearn import checks
from relearn.claims import kept
from relearn.data import processor, records
from relearn.process import atomic, timings
from relearn.scheduling import repository
from relearn.training import compute

PIPELINES = ("", "photos/")
PICTURES = ("plots/predict/", "plots/style/")  # show photographs, as in photos/ what `evaluate` and `gather` draw
PICTURES_OF_PHOTOS = (*PICTURES, "plots/evaluate/", "plots/gather/")
FLAGS = {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}  # of a processor, that decide kernels and precision
CPUINFO = Path("/proc/cpuinfo")
FAMILY = re.compile(r"family \d+ model \d+, ")  # two processors of one name and one set of flags give other bytes
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn")

Entries = dict[str, dict[str, Any]]


def is_kept(out: str, pipeline: str = "") -> bool:
    """Whether an output, seen from its pipeline's folder ("" or "photos/"), goes to results/book."""
    shown = PICTURES_OF_PHOTOS if pipeline else PICTURES
    return out.startswith(("metrics/", "plots/")) and not out.startswith((*shown, "metrics/summary", "metrics/claims"))


def here() -> str:
    """The processor of this machine, as runs.json names it: `AMD EPYC, family 26 model 2, avx2 avx512_bf16 avx512f`."""
    text = CPUINFO.read_text() if CPUINFO.is_file() else ""
    found = [re.search(rf"^{title}\s*: (\d+)$", text, re.MULTILINE) for title in ("cpu family", "model")]
    family = "family {} model {}, ".format(*(match[1] for match in found if match)) if all(found) else ""  # Zen 4 is 25, 5 is 26
    return f"{processor.name()}, {family}{' '.join(sorted(processor.flags() & FLAGS))}"


def is_ours(noted: str | None) -> bool:
    """Whether runs.json names this processor, with its family or, as once, without."""
    return noted in (here(), FAMILY.sub("", here()))


class Keeper:
    """Keeps what the stages in `copy` give, a clone at `commit` that runs at `scale` with `seed`, in `book`."""

    def __init__(self, seed: int, copy: Path, scale: str, commit: str, book: Path = kept.BOOK) -> None:
        self.copy, self.scale, self.commit = copy.resolve(), scale, commit
        self.folder = book.resolve() / f"seed_{seed}"
        self.beside = self.folder.with_name(f"seed_{seed}-{re.sub(r'[^a-z0-9]+', '-', here().lower()).strip('-')}")
        self.seen: dict[str, Any] = {}  # of each lock: its time, its entries
        self.spent = self.copy / ".state/spent.json"
        self.before = atomic.read_noted(self.spent)

    def all(self) -> list[str]:
        """Keeps what has ended since the last call, and gives the names of these stages."""
        ended: list[str] = []
        seen = dict(self.seen)
        for pipeline in PIPELINES:
            lock = self.copy / pipeline / "dvc.lock"
            version, entries = seen.get(pipeline, (None, {}))
            if not lock.is_file() or lock.stat().st_mtime_ns == version:
                continue
            version = lock.stat().st_mtime_ns
            if (now := read_lock(lock)) is None:  # DVC is writing it
                continue
            ended += [f"{pipeline}dvc.yaml:{name}" if pipeline else name for name in now if now[name] != entries.get(name)]
            seen[pipeline] = (version, now)
        if ended:
            self._keep_all({pipeline: entries for pipeline, (_, entries) in seen.items()})
            self.forget(ended)
        self.seen = seen  # not before: what a full disk refuses is tried again
        return ended

    def count(self, running: Iterable[str], seconds: float) -> dict[str, float]:
        """Adds `seconds` to what the running stages have taken, also in sittings that were killed; gives that."""
        spent = atomic.read_noted(self.spent)
        spent |= {name: spent.get(name, 0.0) + seconds for name in running}
        self._note(spent)
        return {name: spent[name] for name in running}

    def forget(self, stages: Collection[str]) -> None:
        """Drops what was counted for these stages, which are up to date now."""
        spent = atomic.read_noted(self.spent)
        if not spent.keys().isdisjoint(stages):
            self._note({name: seconds for name, seconds in spent.items() if name not in stages})

    def seconds_before(self) -> dict[str, float]:
        """Seconds of stages that ran on this processor before, with whichever seed."""
        found: dict[str, float] = {}
        for folder in sorted(self.folder.parent.glob("seed_*")):
            for name, run in kept.runs(folder).items():
                if is_ours(run["processor"]) and run["seconds"] is not None:
                    found[name] = run["seconds"]
        return found

    def _keep_all(self, locks: dict[str, Entries]) -> None:
        """Keeps each stage whose files are whole; of another processor's results those that differ go to `beside`."""
        makers: dict[str, str] = {}  # of each output, seen from the top: the stage
        entries: Entries = {}
        for pipeline, named in locks.items():
            for name, entry in named.items():
                stage = f"{pipeline}dvc.yaml:{name}" if pipeline else name
                entries[stage] = entry
                makers |= {_at_top(pipeline, out["path"]): stage for out in entry.get("outs", [])}
        aside: dict[str, bool] = {}

        def is_aside(stage: str) -> bool:
            if stage not in aside:
                deps = [makers.get(_at_top(_pipeline(stage), dep["path"])) for dep in entries[stage].get("deps", [])]
                aside[stage] = any(is_aside(dep) for dep in deps if dep) or self._of_another(stage, entries[stage])
            return aside[stage]

        ended = {stage: entry for stage, entry in entries.items() if self._ended(stage, entry)}
        for folder, apart in ((self.folder, False), (self.beside, True)):
            if mine := {stage for stage, entry in ended.items() if self._files(stage, entry) and is_aside(stage) is apart}:
                inputs = {stage for stage, entry in ended.items() if not self._files(stage, entry)}
                self._keep(folder, {stage: entry for stage, entry in ended.items() if stage in mine | inputs})

    def _keep(self, folder: Path, entries: Entries) -> None:
        """Copies the files of these stages to `folder`, notes the runs, and puts locks and parameters beside them."""
        noted = kept.runs(folder)
        changed: list[tuple[Path, Path]] = []
        for stage, entry in entries.items():
            files = self._files(stage, entry)
            new = [(path, to) for path, name in files if not _same(path, to := folder / name)]
            if files and (new or stage not in noted):
                if any(to.is_file() for _, to in new):
                    before = noted.get(stage, {}).get("processor", "an unknown processor")
                    print(f"{stage}: other results in {folder.name}, of {before}, are replaced", flush=True)
                noted[stage] = self._run(stage, entry)
                if folder == self.beside:
                    print(f"{stage}: {self.folder.name} has another processor's; ours are in {folder.name} beside it", flush=True)
            changed += new
        lines = [f"  {json.dumps(stage)}: {json.dumps(run)}" for stage, run in sorted(noted.items())]
        _write(folder / kept.RUNS, "{\n" + ",\n".join(lines) + "\n}\n")  # before the files: cut off here, they still differ
        for path, to in changed:
            with atomic.replacing(to) as partial:
                shutil.copyfile(path, partial)
        for pipeline in PIPELINES:
            own = {stage.rpartition(":")[2]: entry for stage, entry in entries.items() if _pipeline(stage) == pipeline}
            if own:
                name = pipeline.replace("/", ".")
                lock = folder / f"{name}dvc.lock"
                write_lock(lock, (read_lock(lock) or {} if lock.is_file() else {}) | own)
                _write(folder / f"{name}params.yaml", (self.copy / pipeline / "params.yaml").read_text())

    def _files(self, stage: str, entry: dict[str, Any]) -> list[tuple[Path, str]]:
        """What of a stage is kept: each file, and its name in results/book."""
        pipeline = _pipeline(stage)
        outs = [out["path"] for out in entry.get("outs", []) if is_kept(out["path"], pipeline)]
        return [(self.copy / pipeline / out, out) for out in outs]

    def _ended(self, stage: str, entry: dict[str, Any]) -> bool:
        """Whether the stage ran at this scale, and its files on disk are those that its entry names."""
        if any(values.get("scale", self.scale) != self.scale for values in entry.get("params", {}).values()):
            return False
        hashes = {out["path"]: out.get("md5") for out in entry.get("outs", [])}
        return all(_md5(path) == hashes[name] for path, name in self._files(stage, entry))

    def _of_another(self, stage: str, entry: dict[str, Any]) -> bool:
        """Whether other files of this stage are kept that are not this processor's."""
        run = kept.runs(self.folder).get(stage, {})
        there = [(path, self.folder / name) for path, name in self._files(stage, entry) if (self.folder / name).is_file()]
        return not is_ours(run.get("processor")) and any(not _same(path, to) for path, to in there if path.is_file())

    def _run(self, stage: str, entry: dict[str, Any]) -> dict[str, Any]:
        """On what and at which commit a stage ran; without seconds where its outputs came from DVC's cache."""
        module, *keys = entry["cmd"].removeprefix("python -m stages.").split()
        timing = self.copy / _pipeline(stage) / timings.FOLDER / self.scale / f"{'@'.join([module, *keys])}.json"
        settings = checks.load(self.copy / "params.yaml").compute
        about: dict[str, Any] = {"precision": compute.precision(settings), "threads": settings.threads}
        for path, name in self._files(stage, entry):
            if name.startswith("metrics/"):
                about |= {key: value for key, value in records.read_json(path).items() if key in (*about, "kernels")}
        if about["threads"] == "auto":
            about["threads"] = processor.cores()
        machine, seconds = here(), None
        if timing.is_file():
            seconds = round(self.before.get(stage, 0.0) + records.read_json(timing)["seconds"], 1)
        elif about.get("kernels", processor.name()) not in (processor.name(), "avx2"):
            machine = about["kernels"]
        about.pop("kernels", None)
        versions = {"python": python_version()} | {name: version(name) for name in PACKAGES}
        return {"processor": machine, "commit": self.commit, **about, "versions": versions, "seconds": seconds}

    def _note(self, spent: dict[str, float]) -> None:
        atomic.write_text(self.spent, json.dumps(spent))


def read_lock(path: Path) -> Entries | None:
    """The entries of a dvc.lock; None where it was read while it was written."""
    try:
        text = path.read_text()
        return dict(YAML(typ="safe").load(text)["stages"]) if text.endswith("\n") else None
    except (YAMLError, TypeError, KeyError):
        return None


def write_lock(path: Path, entries: Entries) -> None:
    """Writes a dvc.lock, its entries by name."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    with atomic.replacing(path) as partial, partial.open("w") as stream:
        yaml.dump({"schema": "2.0", "stages": dict(sorted(entries.items()))}, stream)


def _pipeline(stage: str) -> str:
    lock = repository.lock_of(stage)
    return "" if lock.parent == Path() else f"{lock.parent}/"


def _at_top(pipeline: str, path: str) -> str:
    return str(Path(path[3:]) if path.startswith("../") else Path(pipeline, path))


def _md5(path: Path) -> str | None:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() if path.is_file() else None


def _same(path: Path, other: Path) -> bool:
    return path.is_file() and other.is_file() and path.read_bytes() == other.read_bytes()


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text() != text:
        atomic.write_text(path, text)
