"""DVC's repository in a process that stays: opened once, its YAML files parsed again only when they have changed.

What DVC's own command does not have: it parses params.yaml once a stage, and walks through all of it for each value.
"""

import contextlib
import copy
import json
from collections.abc import Collection, Iterator, Sequence
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from relearn.process import atomic

POLL_SECONDS = 0.05  # between two tries to get the repository's lock; DVC's own half second would be a tenth of a stage
NOTED = Path(".state/order.json")  # the names in each dvc.lock before a run that has not ended well yet


@contextlib.contextmanager
def opened() -> Iterator[Any]:
    """The DVC repository of this folder, which waits for its lock where another DVC holds it."""
    yield _repository(Path.cwd())


@cache
def _repository(folder: Path) -> Any:
    from dvc import lock
    from dvc.dependency import param
    from dvc.repo import Repo
    from dvc.utils import serialize

    lock.DEFAULT_TIMEOUT = POLL_SECONDS * 6  # of which it takes a sixth between two tries
    load = _remembering(serialize.load_yaml)
    serialize.LOADERS[".yaml"] = lambda path, fs=None: copy.deepcopy(load(path, fs))  # a reader's own
    param.read_param_file = _looking_up(param.read_param_file, load)
    return Repo(str(folder), _wait_for_lock=True)


def note_order(stages: Collection[str]) -> None:
    """Notes which entries the dvc.lock files of these stages have, in their order, before a run changes that.

    What an earlier run noted that did not end well is kept, since the entries that it added are not in order yet.
    """
    noted = _noted()
    for lock in {lock_of(name) for name in stages}:
        there, before = entries(lock), noted.get(str(lock))
        noted[str(lock)] = before if before is not None and there[: len(before)] == before else there
    with atomic.replacing(NOTED) as partial:
        partial.write_text(json.dumps(noted))


def put_in_order(order: Sequence[str]) -> None:
    """Puts entries that are new since `note_order`, which stand as stages ended, as they would be after `dvc repro`.

    order: all stages, as `dvc repro` runs them.
    """
    from dvc.utils.serialize import dump_yaml, parse_yaml_for_update

    for name, before in _noted().items():
        lock = Path(name)
        planned = [_entry(stage) for stage in order if lock_of(stage) == lock]
        there = entries(lock)
        new = [name for name in there if name not in before]
        ordered = [name for name in there if name in before] + sorted(new, key=_places(planned))
        if ordered != there:
            with opened() as repo, repo.lock, atomic.replacing(lock) as partial:
                content = parse_yaml_for_update(lock.read_text(), str(lock))
                content["stages"] = {name: content["stages"][name] for name in ordered}
                dump_yaml(str(partial), content)
    NOTED.unlink(missing_ok=True)


def show_metrics(folder: Path) -> None:
    """Prints what `dvc metrics show folder` prints, which reads the whole pipeline for it."""
    from dvc.compare import show_metrics
    from dvc.ui import ui

    ui.enable()
    shown = {str(path): {"data": json.loads(path.read_text())} for path in sorted(folder.rglob("*.json"))}
    show_metrics({"": {"data": shown}}, precision=5, round_digits=True)


def entries(lock: Path) -> list[str]:
    """Names of the stages in a dvc.lock, in its order. ValueError when it was cut off."""
    try:
        return list(YAML(typ="safe").load(lock.read_text())["stages"]) if lock.is_file() else []
    except (YAMLError, TypeError, KeyError) as error:
        raise ValueError(f"{lock}: is not whole: `python -m tools.recover` puts it back") from error


def lock_of(stage: str) -> Path:
    """The dvc.lock with a stage's entry: photos/dvc.lock of photos/dvc.yaml:report."""
    return Path(stage.rpartition(":")[0] or "dvc.yaml").with_name("dvc.lock")


def _entry(stage: str) -> str:
    return stage.rpartition(":")[2]


def _places(planned: Sequence[str]) -> Any:
    """The place of a name in `planned`; what is not in it comes first."""
    places = {name: place for place, name in enumerate(planned)}
    return lambda name: places.get(name, -1)


def _noted() -> dict[str, list[str]]:
    try:
        return dict(json.loads(NOTED.read_text()))
    except (OSError, ValueError):
        return {}


def _remembering(load: Any) -> Any:
    """DVC's reader of YAML files, which parses each content once; what it gives is not to be changed."""
    parsed: dict[str, tuple[tuple[int, int], Any]] = {}

    def loaded(path: Any, fs: Any = None) -> Any:
        if fs is not None and getattr(fs, "protocol", "local") != "local":
            return load(path, fs=fs)
        about = Path(path).stat()
        version = (about.st_mtime_ns, about.st_size)
        if parsed.get(str(path), ((), None))[0] != version:
            parsed[str(path)] = version, load(path, fs=fs)
        return parsed[str(path)][1]

    return loaded


def _looking_up(read: Any, load: Any) -> Any:
    """DVC's reader of the values in a params file that a stage depends on; it looks names up in what `load` gives.

    DVC's own `read` compares each name with all that stand in the file, as it may be a pattern. It is asked about names that
    are not there as they stand.
    """

    def values(fs: Any, path: Any, names: Any = None, flatten: bool = False, **options: Any) -> Any:
        if names and flatten and not options and fs.suffix(path) == ".yaml":
            content = load(path, fs)
            with contextlib.suppress(LookupError, TypeError):
                return {name: copy.deepcopy(reduce(getitem, name.split("."), content)) for name in names}
        return read(fs, path, names, flatten, **options)

    return values
