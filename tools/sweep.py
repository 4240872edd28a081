"""The experiments of a sweep as a table and a picture, best first; those that failed by name.

python -m tools.sweep head_best --by holdout_accuracy --out sweep.svg
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import dvc.api
import pandas as pd

from relearn.report import figures
from relearn.review import verdicts

COLOURS = "<style>:root{color:#1f2328}@media (prefers-color-scheme:dark){:root{color:#e6edf3}}</style>"


def main() -> None:
    parser = argparse.ArgumentParser(description="Show the experiments of a sweep, best first.")
    parser.add_argument("experiment", help="a row of `dvc metrics show`: head_best")
    parser.add_argument("--by", default="accuracy", help="the column to sort by (default: accuracy)")
    parser.add_argument("--out", type=Path, help="write a picture there (.svg)")
    wanted = parser.parse_args()
    rows = [row for row in dvc.api.exp_show() if row.get("typ") != "baseline"]
    ended = [
        row for row in rows if row.get("State") in (None, "", "Success") and metric(row, wanted.experiment, wanted.by) is not None
    ]
    if not ended:
        waiting = sum(row.get("State") in ("Queued", "Running") for row in rows)
        see = f"{waiting} are queued or running: see `dvc queue status`" if waiting else "see `dvc exp show`"
        sys.exit(f"error: no experiment of the present commit has {wanted.by} of {wanted.experiment}: {see}")
    table = tabled(ended, wanted.experiment, wanted.by)
    print(markdown(table))
    for row in rows:
        if row not in ended:
            print(
                f"{row.get('Experiment') or row['rev']}: {row.get('State') or 'not run'}: `dvc queue logs {row['rev']}` says why"
            )
    if wanted.out:
        svg = figures.parallel(table.drop(columns="experiment").sort_index(axis=1), wanted.by, lower(wanted.by))
        wanted.out.write_text(svg.replace(">", f">{COLOURS}", 1))


def metric(row: dict[str, Any], experiment: str, name: str) -> Any:
    """A value of the experiment's row in the table of `dvc metrics`; DVC leaves the file out of names that only one has."""
    file = Path(f"metrics/summary/{experiment}.json")
    alone = row.get(name) if file.is_file() and name in file.read_text() else None
    value = row.get(f"{file}:{name}", alone)
    return value if isinstance(value, int | float) else None


def tabled(rows: list[dict[str, Any]], experiment: str, by: str) -> pd.DataFrame:
    """The params that differ among `rows`, and the column `by`, best first; equal ones in the order of their params."""
    known = set(dvc.api.params_show())
    names = [name for name in rows[0] if name.split(".")[0] in known]
    differing = [name for name in names if len({str(row.get(name)) for row in rows}) > 1]
    records = [
        {"experiment": row.get("Experiment") or row["rev"]}
        | {name: row.get(name) for name in differing}
        | {by: metric(row, experiment, by)}
        for row in rows
    ]
    sign = 1 if lower(by) else -1
    records.sort(key=lambda record: (sign * record[by], [str(record[name]) for name in differing], record["experiment"]))
    return pd.DataFrame(records)


def lower(metric: str) -> bool:
    """Whether less of it is better."""
    return verdicts.better_when(metric) == "lower"


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown."""
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|---" * len(table.columns) + "|"]
    for row in table.itertuples(index=False):
        lines.append("| " + " | ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in row) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
