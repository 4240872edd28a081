"""How long each stage took on this machine, in a folder that DVC does not know: times are no metric."""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(".state/timings")


@contextlib.contextmanager
def stage(name: str, scale: str) -> Iterator[None]:
    """Notes the wall-clock seconds of the block under `name` (`train@vehicles`) when it ends well."""
    started = time.perf_counter()
    yield
    FOLDER.mkdir(parents=True, exist_ok=True)
    record = {"stage": name, "scale": scale, "seconds": round(time.perf_counter() - started, 2)}
    path = FOLDER / f"{name}.json"
    path.with_suffix(".tmp").write_text(json.dumps(record))
    os.replace(path.with_suffix(".tmp"), path)


def read(scale: str) -> dict[str, float]:
    """Seconds of each stage that ran here at `scale`, longest first; stages taken from a cache are not in it."""
    records = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    mine = {record["stage"]: float(record["seconds"]) for record in records if record["scale"] == scale}
    return dict(sorted(mine.items(), key=lambda item: -item[1]))
