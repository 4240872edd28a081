"""DVC's repository in a process that stays: opened once, its YAML files parsed again only when they have changed.

DVC's own command parses params.yaml once a stage, walks through all of it for each value, and parses and writes dvc.lock as
a whole for each entry, a second a stage.
"""

import contextlib
import copy
import json
import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from relearn.process import atomic

POLL_SECONDS = 0.05  # between two tries to get the repository's lock; DVC's own half second would be a tenth of a stage
HEAD = "schema: '2.0'\nstages:\n"  # of each dvc.lock
NOTED = Path(".state/order.json")  # the names in each dvc.lock before a run that has not ended well yet


@contextlib.contextmanager
def opened() -> Iterator[Any]:
    """The DVC repository of this folder, which waits for its lock where another DVC holds it."""
    yield _repository(Path.cwd())


@cache
def _repository(folder: Path) -> Any:
    from dvc import dvcfile, lock
    from dvc.dependency import param
    from dvc.repo import Repo
    from dvc.utils import serialize

    lock.DEFAULT_TIMEOUT = POLL_SECONDS * 6  # of which it takes a sixth between two tries
    load = _remembering(serialize.load_yaml)
    serialize.LOADERS[".yaml"] = lambda path, fs=None, **options: copy.deepcopy(load(path, fs, **options))  # a reader's own
    param.read_param_file = _looking_up(param.read_param_file, load)
    dvcfile.modify_yaml = _splicing(dvcfile.modify_yaml)
    return Repo(str(folder), _wait_for_lock=True)


def note_order(stages: Collection[str]) -> None:
    """Notes which entries the dvc.lock files of these stages have, in their order, before a run changes that.

    What an earlier run noted that did not end well is kept, since the entries that it added are not in order yet.
    """
    noted = atomic.read_noted(NOTED)
    for lock in {lock_of(name) for name in stages}:
        there, before = entries(lock), noted.get(str(lock))
        noted[str(lock)] = before if before is not None and there[: len(before)] == before else there
    atomic.write_text(NOTED, json.dumps(noted))


def put_in_order(order: Sequence[str]) -> None:
    """Puts entries that are new since `note_order`, which stand as stages ended, as they would be after `dvc repro`.

    Each file is then what DVC writes, to the byte; one that is so already stays untouched.
    order: all stages, as `dvc repro` runs them.
    """
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    for name, before in atomic.read_noted(NOTED).items():
        lock = Path(name)
        planned = [_entry(stage) for stage in order if lock_of(stage) == lock]
        with opened() as repo, repo.lock:  # of the names, too: another DVC may add one until then
            if there := entries(lock):
                new = [name for name in there if name not in before]
                ordered = [name for name in there if name in before] + sorted(new, key=_places(planned))
                content = parse_yaml_for_update(text := lock.read_text(), str(lock))
                content["stages"] = {name: content["stages"][name] for name in ordered}
                if (written := dumps_yaml(content)) != text:
                    atomic.write_text(lock, written)
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


def _remembering(load: Any) -> Any:
    """DVC's reader of YAML files, which parses each content once; what it gives is not to be changed."""
    parsed: dict[str, tuple[tuple[int, int], Any]] = {}

    def loaded(path: Any, fs: Any = None, **options: Any) -> Any:
        if options or (fs is not None and getattr(fs, "protocol", "local") != "local"):
            return load(path, fs=fs, **options)
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


def _splicing(modify: Any) -> Any:
    """DVC's way to change dvc.lock, of which it writes no more than the entries that change, and the file whole.

    One that does not look as DVC writes it is left to DVC's own `modify`.
    """
    from dvc.utils.serialize import dumps_yaml, parse_yaml

    @contextlib.contextmanager
    def modified(path: Any, fs: Any = None) -> Iterator[Any]:
        lock = Path(path)
        text = lock.read_text() if lock.name == "dvc.lock" and lock.is_file() else ""
        blocks = _blocks(text)
        content = parse_yaml(text, path) if blocks else {}
        if content.keys() != {"schema", "stages"} or list(content["stages"]) != list(blocks):
            with modify(path, fs=fs) as whole:
                yield whole
            return
        before = dict(content["stages"])
        yield content
        for name, entry in content["stages"].items():
            if entry is not before.get(name):
                blocks[name] = dumps_yaml({"stages": {name: entry}}).partition("\n")[2]
        atomic.write_text(lock, HEAD + "".join(blocks.values()))

    return modified


def _blocks(text: str) -> dict[str, str]:
    """The lines of each entry of a dvc.lock, by name; none where it has other lines."""
    parts = re.split(r"^(?=  \S)", text.removeprefix(HEAD), flags=re.MULTILINE)
    blocks = {part.partition(":\n")[0].strip(): part for part in parts[1:]}
    return blocks if text == HEAD + "".join(blocks.values()) else {}
