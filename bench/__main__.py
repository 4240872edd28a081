"""Measure how fast everything is, side by side with the chapters' own way: `make bench`.

    python -m bench [training accuracy ...]
    python -m bench accuracy_at_book     # three pairs at the chapter's own scale: 40 minutes

Writes bench/results.json after each measurement (those that are not named stay as they are), and the README's table from it.
"""

import argparse
import json
import sys
import time
import traceback
from typing import Any

from bench import table
from bench.lib import machine, workplaces
from bench.table import LONG, MEASURED, RESULTS
from relearn.data import records

BUSY = 10.0  # percent


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how fast everything is, side by side with the chapters' own way.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of {', '.join(MEASURED)}; without any, all but {', '.join(LONG)}"
    )
    names = parser.parse_args().names or [name for name in MEASURED if name not in LONG]
    if unknown := [name for name in names if name not in MEASURED]:
        sys.exit(f"error: {', '.join(unknown)}: none of {', '.join(MEASURED)}")
    if lacking := workplaces.missing():
        sys.exit(f"error: {lacking}")
    failed = []
    for name in names:
        try:
            measure(name)
        except Exception:  # whatever it is, the other measurements can do without this one
            traceback.print_exc()
            failed.append(name)
    if RESULTS.is_file():
        table.main()
    if failed:
        sys.exit(f"error: {', '.join(failed)} failed; what was measured is in README's table")


def measure(name: str) -> None:
    """Makes one measurement, keeps it and tells it."""
    print(f"{name} ...", flush=True)
    here = machine.described()
    others = here.pop("others_percent")
    if others > BUSY:
        print(f"  other programs take {others:.0f} % of the processor: figures will be off", flush=True)
    started = time.perf_counter()
    found = MEASURED[name].measure()
    minutes = (time.perf_counter() - started) / 60
    keep(name, found | {"others_percent": others, "minutes": minutes}, here)
    for row in MEASURED[name].table(found):
        print(f"  {row.what}: {row.figure}" + (f" (goal {row.goal})" if row.goal else ""), flush=True)
    print(f"{name}: {minutes:.1f} min", flush=True)


def keep(name: str, found: dict[str, Any], here: dict[str, Any]) -> None:
    """Puts one measurement into bench/results.json; those of another machine are dropped."""
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    measured = results.get("measured", {}) if results.get("machine") == here else {}
    order = {key: value for key in MEASURED if (value := (measured | {name: found}).get(key))}
    records.write_json(RESULTS, {"machine": here, "measured": order})


if __name__ == "__main__":
    main()
