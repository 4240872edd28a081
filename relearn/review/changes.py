"""What differs between a commit and the working tree in one DVC pipeline, as DVC and Git tell it."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo

from relearn.review.verdicts import Side, Verdict, judge, place


class ReviewError(ValueError):
    """The review cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Content:
    """A file on one side. data: None where there is none, or (missing) where neither Git, cache nor remote has it."""

    data: bytes | None = None
    missing: bool = False


@dataclass(frozen=True)
class Plot:
    """A changed file under plots/, on both sides."""

    path: str
    base: Content
    now: Content


@dataclass(frozen=True)
class Changes:
    """One pipeline's changes. `stale`: the stages that `dvc repro --allow-missing` would run."""

    folder: str
    params: list[tuple[str, Any, Any]]
    stages: tuple[list[str], list[str]]  # new, gone
    code: dict[str, list[str]]  # changed file: the stages that depend on it
    metrics: list[Verdict]
    plots: list[Plot]
    stale: list[str]
    notes: list[str]

    @property
    def lock(self) -> str:
        return str(PurePosixPath(self.folder) / "dvc.lock")

    def __bool__(self) -> bool:
        return bool(self.params or any(self.stages) or self.code or self.metrics or self.plots or self.stale or self.notes)


@dataclass(frozen=True)
class Snapshot:
    """One side of a pipeline: hashes of dvc.lock by path (seen from Git's top), and the metrics' JSON files."""

    deps: dict[str, dict[str, str]] = field(default_factory=dict)  # of each stage
    outs: dict[str, str] = field(default_factory=dict)
    records: dict[PurePosixPath, dict[str, Any]] = field(default_factory=dict)


def between(base: str, folder: str, changed: set[str]) -> Changes:
    """All changes of the pipeline in `folder` since commit `base`. changed: what `changed_files(base)` gave."""
    notes: list[str] = []
    with Repo(folder) as repo:
        params = told(repo.params.diff(a_rev=base), notes)
        metrics = told(repo.metrics.diff(a_rev=base, all=True), notes)
        now, before = snapshot(repo, repo.scm.root_dir), Snapshot()
        base_plots: dict[str, Content] = {}
        try:
            with repo.switch(base):
                before = snapshot(repo, "/")
                plots = changed_plots(folder, before, now, changed)
                base_plots = {path: content(repo, folder, path) for path in plots}
        except NotDvcRepoError:  # a pipeline that is new
            plots = changed_plots(folder, before, now, changed)
        return Changes(
            folder,
            sorted((key, value.get("old"), value.get("new")) for rows in params.values() for key, value in rows.items()),
            (sorted(now.deps.keys() - before.deps.keys()), sorted(before.deps.keys() - now.deps.keys())),
            changed_code(before, now, changed),
            judged(metrics, before, now),
            [Plot(path, base_plots.get(path, Content()), content(repo, folder, path)) for path in plots],
            stale(repo),
            notes,
        )


def told(diff: Mapping[str, Any], notes: list[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """The table of `dvc params diff` or `dvc metrics diff`; what DVC could not read is added to `notes`."""
    for side, error in diff.get("errors", {}).items():
        notes += [f"{side}: {reason}" for reason in (error.values() if isinstance(error, Mapping) else [error])]
    return diff.get("diff", {})


def snapshot(repo: Repo, top: str) -> Snapshot:
    """The side that `repo` is switched to, whose files lie below `top`."""

    def path(item: Any) -> str:
        return item.def_path if PurePath(item.def_path).is_absolute() else os.path.relpath(item.fs_path, top)

    deps: dict[str, dict[str, str]] = {}
    outs: dict[str, str] = {}
    for stage in repo.index.stages:
        deps[name(stage)] = {path(dep): dep.hash_info.value or "" for dep in files_of(stage)}
        outs |= {path(out): out.hash_info.value or "" for out in stage.outs}
    files = repo.dvcfs.find("metrics") if repo.dvcfs.exists("metrics") else []
    records = {PurePosixPath(file): flat_json(repo.dvcfs.read_bytes(file)) for file in files if file.endswith(".json")}
    return Snapshot(deps, outs, records)


def flat_json(data: bytes) -> dict[str, Any]:
    """The object in a metrics file; an empty one for what is none: DVC itself complains about its table's files."""
    try:
        record = json.loads(data)
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {}


def files_of(stage: Any) -> list[Any]:
    """The deps of a stage that are files or folders."""
    return [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]


def name(stage: Any) -> str:
    """`train@lenet`, or the .dvc file of a stage without a name."""
    return getattr(stage, "name", None) or stage.addressing


def stale(repo: Repo) -> list[str]:
    """The stages that `dvc repro --allow-missing --dry` would run.

    Asked stage by stage, as DVC does itself: the command stops at the first of them whose data are not here.
    """
    graph = repo.index.graph
    with repo.lock:
        return [name(stage) for stage in repo.index.stages if stage.changed(True, list(graph.successors(stage)))]


def changed_code(before: Snapshot, now: Snapshot, changed: set[str]) -> dict[str, list[str]]:
    """Deps that no stage makes and that differ, each with the stages that depend on it."""
    found: dict[str, list[str]] = {}
    for side, other in ((now, before), (before, now)):
        for stage, deps in side.deps.items():
            for path, value in deps.items():
                edited = path in changed or any(file.startswith(f"{path}/") for file in changed)
                differs = edited or other.deps.get(stage, {}).get(path, value) != value
                if differs and not is_made(path, side.outs) and stage not in found.setdefault(path, []):
                    found[path].append(stage)
    return dict(sorted(found.items()))


def is_made(path: str, outs: Mapping[str, str]) -> bool:
    """Whether a dep is an output, or a folder of outputs."""
    return path in outs or any(out.startswith(f"{path}/") or path.startswith(f"{out}/") for out in outs)


def changed_plots(folder: str, before: Snapshot, now: Snapshot, changed: set[str]) -> list[str]:
    """Files under plots/ that differ, by dvc.lock or by Git, seen from Git's top."""
    plots = PurePosixPath(folder) / "plots"
    by_lock = {path for path, _ in before.outs.items() ^ now.outs.items()}
    return sorted(
        path for path in by_lock | changed if PurePosixPath(path).is_relative_to(plots) and not path.endswith(".gitignore")
    )


def content(repo: Repo, folder: str, path: str) -> Content:
    """A file of the side that `repo` is switched to, from Git, the working tree, DVC's cache or its remote."""
    inside = str(PurePosixPath(path).relative_to(folder))
    if not repo.dvcfs.exists(inside):
        return Content()
    try:
        return Content(repo.dvcfs.read_bytes(inside))
    except (OSError, DvcException):
        return Content(missing=True)


def judged(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]], before: Snapshot, now: Snapshot) -> list[Verdict]:
    """A verdict for each metric of DVC's table that changed."""
    found = []
    for file, columns in sorted(metrics.items()):
        experiment = PurePosixPath(file).stem
        rows = [{key: value.get(side) for key, value in columns.items()} for side in ("old", "new")]
        sides = [side_of(experiment, row, snapshot) for row, snapshot in zip(rows, (before, now), strict=True)]
        changed = sorted((key for key, value in columns.items() if value.get("old") != value.get("new")), key=place)
        if "accuracy" in changed:  # which shows it as its error
            changed = [key for key in changed if key != "standard_error"]
        found += [judge(experiment, key, *sides) for key in changed]
    return sorted(found, key=lambda verdict: not verdict.beyond)  # what stands out comes first


def side_of(experiment: str, row: Mapping[str, Any], snapshot: Snapshot) -> Side:
    """A row of the table with the counts of test images and repeats that the experiment's own metrics tell.

    These stand in metrics/evaluate/EXPERIMENT.json or a file like it: metrics/learning_curve/lenet.json for
    learning_curve_lenet, metrics/classify/raw.json for raw_linear_svm.
    """
    for path, record in snapshot.records.items():
        whole = path.stem == experiment and path.parent.name not in ("summary", "train")  # which counts training images
        kind = f"{path.parent.name}_{path.stem}" == experiment
        classifier = f"accuracy_{experiment.removeprefix(f'{path.stem}_')}" in record
        if whole or kind or (experiment.startswith(f"{path.stem}_") and classifier):
            return Side(row, record.get("images", record.get("test_images")), record.get("repeats"))
    return Side(row)


def pipelines() -> list[str]:
    """Folders of the DVC projects that Git knows here, `.` first."""
    listed = set(git("ls-files", "-z", "--", "dvc.yaml", "*/dvc.yaml", ".dvc/config", "*/.dvc/config").split("\0"))
    folders = {str(PurePosixPath(file).parent) for file in listed if file.endswith("dvc.yaml")}
    configured = {folder for folder in folders if str(PurePosixPath(folder) / ".dvc/config") in listed}
    return sorted(folder for folder in configured if Path(folder, "dvc.yaml").is_file())


def changed_files(base: str) -> set[str]:
    """Files that differ between commit `base` and the working tree, new ones too."""
    listed = git("diff", "--name-only", "--no-renames", "-z", base, "--") + git("ls-files", "-z", "-o", "--exclude-standard")
    return set(filter(None, listed.split("\0")))


def commit(revision: str) -> str:
    """The hash of the commit that `revision` names."""
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except ReviewError:
        reason = f"{revision!r} is no branch, tag or commit of this repository: git fetch it, or give another BASE"
        raise ReviewError(reason) from None


def missing_commits(base: str) -> int:
    """How many commits `base` has that the working tree's branch lacks."""
    return int(git("rev-list", "--count", f"HEAD..{base}"))


def git(*arguments: str) -> str:
    """What a Git command prints."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReviewError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
