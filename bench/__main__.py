"""Measure how fast everything is, side by side with the chapters' own way.

    python -m bench [training accuracy ...]    # without names all but the long ones
    python -m bench accuracy_at_book           # three pairs at the chapter's own scale: 45 minutes

Reads  data/cifar10, models/backbones/lite0.keras
Writes bench/results.json after each measurement (those that are not named stay as they are, with the machine that they were
       made on), and the table of docs/performance.md from it
"""

import json
import os
import time
import traceback
from collections.abc import Mapping
from typing import Any

from bench import table
from bench.lib import machine, workplaces
from bench.table import LONG, MEASUREMENTS, RESULTS
from relearn.data import pins, records
from relearn.process import command

BUSY = 10.0  # percent


def main() -> None:
    parser = command.parser()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(MEASUREMENTS)}")
    names = parser.parse_args().names or [name for name in MEASUREMENTS if name not in LONG]
    with command.told():
        if unknown := [name for name in names if name not in MEASUREMENTS]:
            raise ValueError(f"{', '.join(unknown)}: none of {', '.join(MEASUREMENTS)}")
        workplaces.check()
        failed = [name for name in names if not measured(name)]
        if RESULTS.is_file():
            table.write()
        if failed:
            raise ValueError(f"{', '.join(failed)} failed; the other figures are in {table.PAGE.name}")


def measured(name: str) -> bool:
    """Makes one measurement, keeps it and prints it; False when it fails: the others can do without it."""
    print(f"{name} ...", flush=True)
    here, others = machine.described(), machine.others_percent()
    if others > BUSY:
        print(f"  other programs take {others:.0f} % of the processor: figures will be off", flush=True)
    started = time.perf_counter()
    try:
        figures = MEASUREMENTS[name].measure()
    except Exception:
        traceback.print_exc()
        return False
    minutes = (time.perf_counter() - started) / 60
    keep(name, figures | {"machine": here, "others_percent": others, "minutes": minutes})
    for row in MEASUREMENTS[name].table(figures):
        print(f"  {row.what}: {row.figure}" + (f" (goal {row.goal})" if row.goal else ""), flush=True)
    print(f"{name}: {minutes:.1f} min", flush=True)
    return True


def keep(name: str, figures: Mapping[str, Any]) -> None:
    """Puts one measurement into bench/results.json, in place of an earlier one on whatever machine."""
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    results[name] = figures
    records.write_json(RESULTS, {key: results[key] for key in MEASUREMENTS if key in results})


if __name__ == "__main__":
    pins.clear()  # each way has a process of its own, in which TensorFlow chooses the kernels, as in the chapters' way
    os.environ[pins.MARK] = "none"
    main()
