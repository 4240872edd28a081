"""The experiments of a sweep as a table and a picture, best first; those that failed by name.

    python -m tools.sweep head_best
    python -m tools.sweep head_best --by holdout_accuracy --out sweep.svg

Reads  dvc.yaml; the experiments of the present commit that DVC keeps, with their params and metrics/summary/
Writes the table as Markdown to the standard output, and the picture that --out names

Every experiment has the metrics of all. Those count that changed something which the named one depends on.
"""

import os
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

import dvc.api
import pandas as pd
from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import plan_repro
from dvc.scm import SCMError

from relearn.data import places, records
from relearn.process import command
from relearn.report import figures
from relearn.review import verdicts

COLOURS = "<style>:root{color:#1f2328}@media (prefers-color-scheme:dark){:root{color:#e6edf3}}</style>"


def main() -> None:
    parser = command.parser()
    parser.add_argument("experiment", help="a row of `dvc metrics show`: head_best")
    parser.add_argument("--by", default="accuracy", help="the column to sort by (%(default)s)")
    parser.add_argument("--out", type=command.path, help="the picture to write, .svg")
    options = parser.parse_args()
    out = options.out and options.out.absolute()
    os.chdir(places.top())
    with command.told():
        rows = of(options.experiment)
        finished = [row for row in rows if is_finished(row) and metric(row, options.experiment, options.by) is not None]
        if not finished:
            raise ValueError(
                f"no experiment of the present commit has {options.by} of {options.experiment}: {where_to_look(rows)}"
            )
        table = tabled(finished, options.experiment, options.by)
        print(markdown(table))
        for row in filter(lambda row: row not in finished, rows):
            print(f"{name_of(row)}: {row.get('State') or 'not run'}: `dvc queue logs {row['rev']}` says why")
        if out:
            svg = figures.parallel(table.drop(columns="experiment").sort_index(axis=1), options.by, lower(options.by))
            out.write_text(svg.replace(">", f">{COLOURS}", 1))


def of(experiment: str) -> list[dict[str, Any]]:
    """The experiments of the present commit that changed what `experiment` depends on, without parameters of others only.

    ValueError outside a repository, or when dvc.yaml has no such experiment.
    """
    try:
        with Repo() as repo:
            parameters, files = dependencies(repo, experiment)
        commits = dvc.api.exp_show()
    except (DvcException, SCMError) as error:
        raise ValueError(f"{str(error).rstrip('.')}: call it in the project's folder, a clone of its git repository") from error
    if not (parameters or files):
        raise ValueError(f"{experiment}: dvc.yaml has no stage that scores it; `dvc metrics show` has the names")
    committed = next(row for row in commits if row["typ"] == "baseline" and row["rev"] != "workspace")
    columns = {column for row in commits for column in row}
    decides = {column for column in columns if is_one_of(column, parameters)}
    others = set(swept(columns)) - decides
    return [
        {column: value for column, value in row.items() if column not in others}
        for row in commits
        if row["typ"] != "baseline"
        and (any(row.get(column) != committed.get(column) for column in decides)
             or any(row.get(path) not in (None, committed.get(path)) for path in files))
    ]  # fmt: skip


def dependencies(repo: Repo, experiment: str) -> tuple[set[tuple[str, str]], set[str]]:
    """What the stages that score `experiment`, and all before them, depend on: (file, parameter), and other files."""
    graph = repo.index.graph
    scoring = [stage for stage in graph if any(scores(str(out), experiment) for out in stage.outs)]
    deps = [dep for stage in (plan_repro(graph, scoring) if scoring else ()) for dep in stage.deps]
    parameters = {(str(dep), name) for dep in deps if isinstance(dep, ParamsDependency) for name in dep.params or ()}
    return parameters, {str(dep) for dep in deps if not isinstance(dep, ParamsDependency)}


def scores(path: str, experiment: str) -> bool:
    """Whether an output is the metrics behind the experiment's row in the table (see stages/collect.py)."""
    *folders, name = PurePath(path).with_suffix("").parts
    if "metrics" not in folders or folders[-1] in ("augment", "describe", "gather"):
        return False
    return experiment.startswith(f"{name}_") if folders[-1] == "classify" else experiment in (name, f"{folders[-1]}_{name}")


def is_one_of(column: str, parameters: set[tuple[str, str]]) -> bool:
    """Whether a column is one of these parameters or stands in one; DVC names the file of those that two files have."""
    file, _, name = column.rpartition(":")
    return any(file in ("", path) and f"{name}.".startswith(f"{key}.") for path, key in parameters)


def swept(columns: Iterable[str]) -> list[str]:
    """Those columns that are parameters, in their order."""
    known = set(dvc.api.params_show())
    return [column for column in columns if column.rpartition(":")[2].split(".")[0] in known]


def is_finished(row: dict[str, Any]) -> bool:
    """Whether an experiment ran to its end; DVC gives no state to one that ran in the working tree."""
    return row.get("State") in (None, "", "Success")


def where_to_look(rows: list[dict[str, Any]]) -> str:
    """What shows the experiments that are there."""
    waiting = sum(row.get("State") in ("Queued", "Running") for row in rows)
    return f"{waiting} are queued or running: see `dvc queue status`" if waiting else "see `dvc exp show`"


def name_of(row: dict[str, Any]) -> str:
    """The experiment's name, or its commit where it has none."""
    return row.get("Experiment") or row["rev"]


def metric(row: dict[str, Any], experiment: str, column: str) -> Any:
    """A value of the experiment's row in the table of `dvc metrics`, of either pipeline; None where it has no number there.

    DVC leaves the file out of the names of columns that only one file has.
    """
    name = f"metrics/summary/{experiment}.json"
    file = next(filter(Path.is_file, [Path(name), *Path().glob(f"*/{name}")]), Path(name))
    alone = row.get(column) if file.is_file() and column in records.read_json(file) else None
    value = row.get(f"{file}:{column}", alone)
    return value if isinstance(value, int | float) else None


def tabled(rows: list[dict[str, Any]], experiment: str, by: str) -> pd.DataFrame:
    """The params that differ among `rows`, and the column `by`, best first; equal ones in the order of their params."""
    params = swept(dict.fromkeys(column for row in rows for column in row))
    differing = [column for column in params if len({str(row.get(column)) for row in rows}) > 1]
    found: list[dict[str, Any]] = [
        {"experiment": name_of(row)} | {column: row.get(column) for column in differing} | {by: metric(row, experiment, by)}
        for row in rows
    ]
    sign = 1 if lower(by) else -1
    found.sort(key=lambda record: (sign * record[by], [str(record[column]) for column in differing], record["experiment"]))
    return pd.DataFrame(found)


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
