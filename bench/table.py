"""Write the README's table of what was measured, from bench/results.json.

python -m bench.table
"""

import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from bench import accuracy, accuracy_at_book, augmentation, embedding, fan_out, features, overhead, repeats, training
from bench.lib.workplaces import ROOT

MEASURED: dict[str, ModuleType] = {
    "training": training, "accuracy": accuracy, "repeats": repeats, "features": features,
    "embedding": embedding, "augmentation": augmentation, "overhead": overhead, "fan_out": fan_out,
    "accuracy_at_book": accuracy_at_book,
}  # fmt: skip
LONG = ("accuracy_at_book",)  # measured only when named
RESULTS = ROOT / "bench/results.json"
README = ROOT / "README.md"
START, END = "<!-- bench -->\n", "<!-- /bench -->\n"


def main() -> None:
    README.write_text(replaced(README.read_text(), markdown(json.loads(RESULTS.read_text()))))


def replaced(text: str, table: str) -> str:
    """`text` with `table` between the markers. ValueError without them."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"README.md lacks {START.strip()} and {END.strip()} around the table")
    return before + START + table + END + after


def markdown(results: Mapping[str, Any]) -> str:
    """The machine, and a row for each figure."""
    measured = results["measured"]
    lines = [about(results["machine"], measured), "", "| what | measured against | figure | goal |", "|---|---|---|---|"]
    for name, found in measured.items():
        lines += [f"| {' | '.join(row)} |" for row in MEASURED[name].table(found)]
    if missing := [name for name in MEASURED if name not in measured]:
        lines += ["", f"Not measured on this machine yet: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def about(machine: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    minutes = sum(found["minutes"] for found in measured.values())
    busiest = max(found["others_percent"] for found in measured.values())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, products in {machine['precision']}; "
        f"Python {machine['python']}, {versions}. {minutes:.0f} minutes in all; other programs took at most {busiest:.0f} % "
        "of the processor before a measurement."
    )


if __name__ == "__main__":
    main()
