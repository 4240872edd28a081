"""What differs between a commit and the working tree in each pipeline of the project, as DVC and Git tell it."""

import contextlib
import json
import os
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath, PurePosixPath
from typing import Any, TypeVar

from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo

from relearn.review.verdicts import Side, Verdict, judge, place

T = TypeVar("T")
OTHER_IMAGES = ("summary", "train", "transfer")  # metrics that count none, or training images


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
    """Changes of one pipeline, the dvc.yaml in `folder`. `stale`: the stages that `dvc repro --allow-missing` would run."""

    folder: str
    params: list[tuple[str, Any, Any]]
    stages: tuple[list[str], list[str]]  # new, gone
    code: dict[str, list[str]]  # changed file: the stages that depend on it
    metrics: list[Verdict]
    plots: list[Plot]
    stale: list[str]
    notes: list[str]  # what could not be read
    gone: bool  # the working tree has no such pipeline

    @property
    def lock(self) -> str:
        return str(PurePosixPath(self.folder) / "dvc.lock")

    def __bool__(self) -> bool:
        return bool(self.params or any(self.stages) or self.code or self.metrics or self.plots or self.stale or self.notes)


@dataclass(frozen=True)
class Snapshot:
    """One side of a pipeline: hashes of dvc.lock by path (seen from the project's top), and the metrics' JSON files."""

    deps: dict[str, dict[str, str]] = field(default_factory=dict)  # of each stage
    outs: dict[str, str] = field(default_factory=dict)  # of all pipelines
    records: dict[PurePosixPath, dict[str, Any]] = field(default_factory=dict)


def since(base: str) -> list[Changes]:
    """The changes since commit `base` in each pipeline of the project, whose top is here."""
    changed = changed_files(base)
    with Repo() as repo:
        diffs = repo.params.diff(a_rev=base), repo.metrics.diff(a_rev=base, all=True)
        now, before = snapshots(repo, repo.root_dir), dict[str, Snapshot]()
        contents: dict[str, Content] = {}
        with contextlib.suppress(NotDvcRepoError), repo.switch(base):  # the base may be older than the project
            before = snapshots(repo, "/")
            contents = {path: content(repo, path) for path in changed_plots(before, now, changed)}
        paths = changed_plots(before, now, changed)
        both = {path: Plot(path, contents.get(path, Content()), content(repo, path)) for path in paths}
        would_run = stale(repo)
    folders = sorted({".", *before, *now})
    params, metrics = (by_folder(diff.get("diff", {}).items(), folders) for diff in diffs)
    plots, notes = by_folder(both.items(), folders), by_folder(unread(diffs), folders)
    changes = []
    for folder in folders:
        old, new = before.get(folder, Snapshot()), now.get(folder, Snapshot())
        changes.append(
            Changes(
                folder,
                params=sorted(
                    (key, value.get("old"), value.get("new")) for _, rows in params[folder] for key, value in rows.items()
                ),
                stages=(sorted(new.deps.keys() - old.deps.keys()), sorted(old.deps.keys() - new.deps.keys())),
                code=changed_code(old, new, changed),
                metrics=judged(dict(metrics[folder]), old, new),
                plots=[plot for _, plot in plots[folder]],
                stale=would_run.get(folder, []),
                notes=[note for _, note in notes[folder]],
                gone=folder not in now,
            )
        )
    return changes


def by_folder(items: Iterable[tuple[str, T]], folders: Collection[str]) -> dict[str, list[tuple[str, T]]]:
    """Pairs of a path and what belongs to it, for each pipeline's folder; the top has what is in no other."""
    parts: dict[str, list[tuple[str, T]]] = {folder: [] for folder in folders}
    for path, item in items:
        parts[max((each for each in folders if PurePosixPath(path).is_relative_to(each)), key=len)].append((path, item))
    return parts


def unread(diffs: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What DVC could not read for `dvc params diff` and `dvc metrics diff`: pairs of a file and the reason."""
    for diff in diffs:
        for side, error in diff.get("errors", {}).items():
            for file, reason in error.items() if isinstance(error, Mapping) else [("", error)]:
                yield file, f"{side}: {reason}"


def snapshots(repo: Repo, top: str) -> dict[str, Snapshot]:
    """The pipelines, by folder, of the side that `repo` is switched to, whose files lie below `top`."""

    def path(item: Any) -> str:
        return item.def_path if PurePath(item.def_path).is_absolute() else os.path.relpath(item.fs_path, top)

    pipelines: dict[str, Snapshot] = {}
    outs: dict[str, str] = {}
    for stage in repo.index.stages:
        folder = folder_of(stage)
        if folder not in pipelines:
            pipelines[folder] = Snapshot({}, outs, records(repo, folder))
        pipelines[folder].deps[name(stage)] = {path(dep): dep.hash_info.value or "" for dep in files_of(stage)}
        outs |= {path(out): out.hash_info.value or "" for out in stage.outs}
    return pipelines


def records(repo: Repo, folder: str) -> dict[PurePosixPath, dict[str, Any]]:
    """The JSON files below metrics/ of a pipeline."""
    metrics = str(PurePosixPath(folder) / "metrics")
    files = repo.dvcfs.find(metrics) if repo.dvcfs.exists(metrics) else []
    return {PurePosixPath(file): flat_json(repo.dvcfs.read_bytes(file)) for file in files if file.endswith(".json")}


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


def folder_of(stage: Any) -> str:
    """The folder of the dvc.yaml that a stage stands in; the top for the .dvc file of a stage without a name."""
    file = PurePosixPath(PurePath(stage.path_in_repo).as_posix())
    return str(file.parent) if file.name == "dvc.yaml" else "."


def stale(repo: Repo) -> dict[str, list[str]]:
    """The stages that `dvc repro --allow-missing --dry` would run, by folder.

    Asked stage by stage, as DVC does itself: the command stops at the first of them whose data are not here.
    """
    graph = repo.index.graph
    stages: dict[str, list[str]] = {}
    with repo.lock:
        for stage in repo.index.stages:
            if stage.changed(True, list(graph.successors(stage))):
                stages.setdefault(folder_of(stage), []).append(name(stage))
    return stages


def changed_code(before: Snapshot, now: Snapshot, changed: set[str]) -> dict[str, list[str]]:
    """Deps that no stage makes and that differ, each with the stages that depend on it."""
    code: dict[str, list[str]] = {}
    for side, other in ((now, before), (before, now)):
        for stage, deps in side.deps.items():
            for path, value in deps.items():
                edited = path in changed or any(file.startswith(f"{path}/") for file in changed)
                differs = edited or other.deps.get(stage, {}).get(path, value) != value
                if differs and not is_output(path, side.outs) and stage not in code.setdefault(path, []):
                    code[path].append(stage)
    return dict(sorted(code.items()))


def is_output(path: str, outs: Mapping[str, str]) -> bool:
    """Whether a dep is an output, or a folder of outputs."""
    return path in outs or any(out.startswith(f"{path}/") or path.startswith(f"{out}/") for out in outs)


def changed_plots(before: Mapping[str, Snapshot], now: Mapping[str, Snapshot], changed: set[str]) -> list[str]:
    """Files under a pipeline's plots/ that differ, by dvc.lock or by Git."""
    files = set()
    for folder in before.keys() | now.keys():
        old, new = before.get(folder, Snapshot()), now.get(folder, Snapshot())
        by_lock = {path for path, _ in old.outs.items() ^ new.outs.items()}
        plots = PurePosixPath(folder) / "plots"
        files |= {path for path in by_lock | changed if PurePosixPath(path).is_relative_to(plots)}
    return sorted(path for path in files if not path.endswith(".gitignore"))


def content(repo: Repo, path: str) -> Content:
    """A file of the side that `repo` is switched to, from Git, the working tree, DVC's cache or its remote."""
    if not repo.dvcfs.exists(path):
        return Content()
    try:
        return Content(repo.dvcfs.read_bytes(path))
    except (OSError, DvcException):
        return Content(missing=True)


def judged(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]], before: Snapshot, now: Snapshot) -> list[Verdict]:
    """A verdict for each metric of DVC's table that changed."""
    verdicts = []
    for file, columns in sorted(metrics.items()):
        experiment = PurePosixPath(file).stem
        rows = [{key: value.get(side) for key, value in columns.items()} for side in ("old", "new")]
        sides = [side_of(experiment, row, snapshot) for row, snapshot in zip(rows, (before, now), strict=True)]
        changed = sorted((key for key, value in columns.items() if value.get("old") != value.get("new")), key=place)
        if "accuracy" in changed:  # which shows it as its error
            changed = [key for key in changed if key != "standard_error"]
        verdicts += [judge(experiment, key, *sides) for key in changed]
    return sorted(verdicts, key=lambda verdict: not verdict.beyond)  # what stands out comes first


def side_of(experiment: str, row: Mapping[str, Any], snapshot: Snapshot) -> Side:
    """A row of the table with the counts of test images and repeats that the experiment's own metrics tell.

    These stand in metrics/evaluate/EXPERIMENT.json or a file like it: metrics/learning_curve/lenet.json for
    learning_curve_lenet, metrics/classify/raw.json for raw_linear_svm.
    """
    for path, record in snapshot.records.items():
        whole = path.stem == experiment and path.parent.name not in OTHER_IMAGES
        kind = f"{path.parent.name}_{path.stem}" == experiment
        classifier = f"accuracy_{experiment.removeprefix(f'{path.stem}_')}" in record
        if whole or kind or (experiment.startswith(f"{path.stem}_") and classifier):
            return Side(row, record.get("images", record.get("test_images")), record.get("repeats"))
    return Side(row)


def changed_files(base: str) -> set[str]:
    """Files that differ between commit `base` and the working tree, new ones too."""
    listed = git("diff", "--name-only", "--no-renames", "-z", base, "--") + git("ls-files", "-z", "-o", "--exclude-standard")
    return set(filter(None, listed.split("\0")))


def commit(revision: str) -> str:
    """The hash of the commit that `revision` names."""
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except ReviewError as error:
        if str(error) != "git rev-parse: ":  # Git says why it reads nothing here: the folder is another user's, say
            raise
        whole = " (--unshallow: this clone is shallow)" * (git("rev-parse", "--is-shallow-repository").strip() == "true")
        reason = f"{revision!r} is no branch, tag or commit of this repository: git fetch it{whole}, or name another"
        raise ReviewError(reason) from None


def missing_commits(base: str) -> int:
    """How many commits `base` has that the working tree's branch lacks."""
    return int(git("rev-list", "--count", f"HEAD..{base}"))


def git(*arguments: str) -> str:
    """What a Git command prints."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReviewError(f"git {arguments[0]}: {' '.join(done.stderr.split())}")
    return done.stdout
