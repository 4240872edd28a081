"""What several tests share: the project's root and a changeable copy of its parameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from relearn import checks
from relearn.params.whole import Params

ROOT = Path(__file__).resolve().parents[1]
# The files that take longest: workers that begin with them end together.
BEGIN_WITH = (
    "test_repro",
    "test_kills",
    "test_verify",
    "test_photos",
    "test_faults",
    "test_cluster",
    "test_remote",
    "test_review",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files of BEGIN_WITH first; pytest-xdist gives files to its workers in this order."""
    places = {name: place for place, name in enumerate(BEGIN_WITH)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture
def params_with(tmp_path: Path) -> Callable[..., Params]:
    """Loads the project's params.yaml with some values replaced: params_with({"train.deep_sgd.batch": 0})."""

    def load(changes: dict[str, Any]) -> Params:
        raw = yaml.safe_load((ROOT / "params.yaml").read_text())
        for path, value in changes.items():
            *parents, last = path.split(".")
            node = raw
            for name in parents:
                node = node[int(name) if isinstance(node, list) else name]
            node[last] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
        return checks.load(tmp_path / "params.yaml")

    return load
