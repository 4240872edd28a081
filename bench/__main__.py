"""Measure how fast everything is, side by side with the chapters' own way: `make bench`.

    python -m bench [training accuracy ...]

Writes bench/results.json after each measurement (those that are not named stay as they are), and the README's table from it.
"""

import argparse
import json
import sys
import time
from typing import Any

from bench import table
from bench.lib import machine, workplaces
from bench.table import MEASURED, RESULTS
from stages.lib import records


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how fast everything is, side by side with the chapters' own way.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(MEASURED)}; without any, all")
    names = parser.parse_args().names or list(MEASURED)
    if unknown := [name for name in names if name not in MEASURED]:
        sys.exit(f"error: {', '.join(unknown)}: none of {', '.join(MEASURED)}")
    if lacking := workplaces.missing():
        sys.exit(f"error: {lacking}")
    for name in names:
        started = time.perf_counter()
        print(f"{name} ...", flush=True)
        here = machine.described()
        found = MEASURED[name].measure()
        minutes = (time.perf_counter() - started) / 60
        keep(name, found | {"load_before": here.pop("load_before"), "minutes": minutes}, here)
        for row in MEASURED[name].table(found):
            print(f"  {row.what}: {row.figure}" + (f" (goal {row.goal})" if row.goal else ""), flush=True)
        print(f"{name}: {minutes:.1f} min", flush=True)
    table.main()


def keep(name: str, found: dict[str, Any], here: dict[str, Any]) -> None:
    """Puts one measurement into bench/results.json; those of another machine are dropped."""
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    measured = results.get("measured", {}) if results.get("machine") == here else {}
    order = {key: value for key in MEASURED if (value := (measured | {name: found}).get(key))}
    records.write_json(RESULTS, {"machine": here, "measured": order})


if __name__ == "__main__":
    main()
