"""What several tests share: the project's root, a changeable copy of its parameters, a process of little memory."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from relearn import checks
from relearn.params import whole
from relearn.params.whole import Params

ROOT = Path(__file__).resolve().parents[1]
# The files that take longest: workers that begin with them end together. The first makes what the last two wait for.
BEGIN_WITH = (
    "test_repro",
    "test_kills",
    "test_verify",
    "test_faults",
    "test_side_by_side",
    "test_remote",
    "test_review",
    "test_edits",
    "test_book",
    "test_photos",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files of BEGIN_WITH first; pytest-xdist gives files to its workers in this order."""
    places = {name: place for place, name in enumerate(BEGIN_WITH)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def in_one_gib(code: str, *arguments: object) -> str:
    """What `code`, with `read(path)` for each argument defined by it, prints when it has 1 GiB of address space.

    A bomb that goes off is a MemoryError there, in place of the line that is expected.
    """
    run = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
for path in map(Path, sys.argv[1:]):
    try:
        read(path)
    except Exception as error:
        print(type(error).__name__, error)
"""
    command = [sys.executable, "-c", f"from pathlib import Path\n{code}\n{run}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def _raw(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(ROOT / name)


def changed(name: str, changes: Mapping[str, Any]) -> Any:
    """The values of a params.yaml of the project, some of them replaced: {"train.deep_sgd.batch": 0}."""
    raw = deepcopy(_raw(name))
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = raw
        for part in parents:
            node = node[int(part) if isinstance(node, list) else part]
        node[last] = value
    return raw


@pytest.fixture
def params_with() -> Callable[..., Params]:
    """Checks the values of the project's params.yaml, some of them replaced."""

    def load(changes: Mapping[str, Any]) -> Params:
        with pytest.MonkeyPatch.context() as patched:  # writing and reading YAML would take most of the time
            patched.setattr(whole, "read", lambda path: changed("params.yaml", changes))
            return checks.load()

    return load


@pytest.fixture
def photos_with(tmp_path: Path) -> Callable[..., Params]:
    """Loads photos/params.yaml with some values replaced, and with others of those that it shares with params.yaml."""

    def load(changes: Mapping[str, Any], shared: Mapping[str, Any] = MappingProxyType({})) -> Params:
        (tmp_path / "photos").mkdir(exist_ok=True)
        for name, values in (("params.yaml", shared), ("photos/params.yaml", changes)):
            text = yaml.dump(changed(name, values), Dumper=yaml.CSafeDumper, sort_keys=False)
            (tmp_path / name).write_text(text)
        return checks.load(tmp_path / "photos/params.yaml")

    return load
