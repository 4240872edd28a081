"""Write the table of docs/performance.md from bench/results.json.

python -m bench.table
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from string import ascii_uppercase
from typing import Any, NamedTuple

from bench import accuracy, augmentation, embedding, features, kernels, overhead, pipeline, repeats, threads, training
from bench.lib.rows import Row
from bench.lib.workplaces import ROOT
from relearn.process import atomic, command

RESULTS = ROOT / "bench/results.json"
PAGE = ROOT / "docs/performance.md"
MARKERS = ("<!-- bench -->\n", "<!-- /bench -->\n")


class Measurement(NamedTuple):
    """How figures are measured, and the rows that show them."""

    measure: Callable[[], dict[str, Any]]
    table: Callable[[Mapping[str, Any]], list[Row]]


MEASUREMENTS = {
    "training": Measurement(training.measure, training.table),
    "accuracy": Measurement(accuracy.measure, accuracy.table),
    "threads": Measurement(threads.measure, threads.table),
    "kernels": Measurement(kernels.measure, kernels.table),
    "repeats": Measurement(repeats.measure, repeats.table),
    "features": Measurement(features.measure, features.table),
    "embedding": Measurement(embedding.measure, embedding.table),
    "augmentation": Measurement(augmentation.measure, augmentation.table),
    "pipeline": Measurement(pipeline.measure, pipeline.table),
    "overhead": Measurement(overhead.measure, overhead.table),
    "pipeline_whole": Measurement(partial(pipeline.measure, pipeline.WHOLE), pipeline.table),
    "accuracy_at_book": Measurement(partial(accuracy.measure, "book"), accuracy.table),
}
LONG = ("pipeline_whole", "accuracy_at_book")  # measured only when named


def main() -> None:
    command.parser().parse_args()
    write()


def write() -> None:
    PAGE.write_text(atomic.replaced(PAGE, MARKERS, markdown(json.loads(RESULTS.read_text()))))


def markdown(results: Mapping[str, Any]) -> str:
    """The machines, by letter, and a row for each figure."""
    measured = {name: results[name] for name in MEASUREMENTS if name in results}
    machines: dict[str, list[Mapping[str, Any]]] = {}
    for figures in measured.values():
        machines.setdefault(described(figures["machine"]), []).append(figures)
    letters = dict(zip(machines, ascii_uppercase, strict=False))
    lines = [f"- **{letters[machine]}**: {machine}. {effort(of_it)}" for machine, of_it in machines.items()]
    lines += ["", "| on | what | measured against | figure | goal |", "|---|---|---|---|---|"]
    for name, figures in measured.items():
        letter = letters[described(figures["machine"])]
        lines += [f"| {' | '.join((letter, *row))} |" for row in MEASUREMENTS[name].table(figures)]
    if missing := [name for name in MEASUREMENTS if name not in measured]:
        lines += ["", f"Not measured yet: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def described(machine: Mapping[str, Any]) -> str:
    """A machine and what was installed on it, in words."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, products in {machine['precision']}; "
        f"Python {machine['python']}, {versions}"
    )


def effort(measured: Sequence[Mapping[str, Any]]) -> str:
    """What measuring on one machine took, and what disturbed it."""
    minutes = sum(figures["minutes"] for figures in measured)
    busiest = max(figures["others_percent"] for figures in measured)
    return f"{minutes:.0f} minutes in all; other programs took at most {busiest:.1f} % of the processor before a measurement."


if __name__ == "__main__":
    main()
