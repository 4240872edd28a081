"""How long each stage took on this machine, in a folder that DVC does not know: times are no metric."""

import contextlib
import json
import time
from collections.abc import Container, Iterator
from pathlib import Path

from relearn.process import atomic

FOLDER = Path(".state/timings")


@contextlib.contextmanager
def stage(name: str, scale: str) -> Iterator[None]:
    """Notes the wall-clock seconds of the block under `name` (`train@vehicles`) when it ends well."""
    started = time.perf_counter()
    yield
    record = {"stage": name, "seconds": round(time.perf_counter() - started, 2)}
    path = FOLDER / scale / f"{name}.json"
    atomic.write_text(path, json.dumps(record))


def read(scale: str, stages: Container[str]) -> dict[str, float]:
    """Seconds of those `stages` that ran here at `scale`, longest first; one taken from a cache is not in it."""
    whole = [path for path in sorted((FOLDER / scale).glob("*.json")) if f".{atomic.MARK}" not in path.suffixes]
    records = [json.loads(path.read_text()) for path in whole]
    mine = {record["stage"]: float(record["seconds"]) for record in records if record["stage"] in stages}
    return dict(sorted(mine.items(), key=lambda item: -item[1]))
