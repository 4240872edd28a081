"""Put every result into one page to look at, and one JSON file to compute with.

    python -m stages.report

Reads  params, printed.yaml; metrics/, plots/
Writes reports/<scale>/results.json, reports/<scale>/index.html
"""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.lib import command, page, params, records, sections, state, timings
from stages.lib.params import Params

METRICS = Path("metrics")
PACKAGES = ("dvc", "keras", "tensorflow", "scikit-learn", "numpy")


def main() -> None:
    settings = params.load()
    with timings.stage("report", settings.scale):
        rows = [compared(row) | {"backbone": settings.backbone_of(row.metric)} for row in params.load_printed(settings)]
        results = {
            "scale": settings.scale,
            "seed": settings.seed,
            "machine": machine(settings),
            "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
            "rows": rows,
            "experiments": {path.stem: records.read_json(path) for path in sorted(METRICS.glob("summary/*.json"))},
        }
        folder = Path("reports") / settings.scale
        records.write_json(folder / "results.json", results)
        times = timings.read(settings.scale, settings.stages())
        html = page.render(results, sections.build(settings, rows), times, records.HEADLINE, len(settings.stages()))
        (folder / "index.html").write_text(html)
        state.sweep()
    if rows:
        print(page_table(rows))
    print(f"Report: {folder / 'index.html'}")


def compared(row: params.Row) -> dict[str, Any]:
    """A printed number with the one that our metric file has for it."""
    name, _, column = row.metric.rpartition(".")
    path = METRICS / f"{name}.json"
    record = records.read_json(path) if path.is_file() else {}
    if column not in record:
        raise ValueError(f"printed.yaml: {row.metric!r}: {path} has no {column!r}; it has {', '.join(record) or 'nothing'}")
    error = record.get("standard_error") if column == "accuracy" else None
    return row.model_dump() | {"got": record[column], "standard_error": error}


def machine(settings: Params) -> dict[str, Any]:
    """Precision, threads and processor of the trainings, as each training noted them."""
    dictionaries = ("train", "transfer", "learning_curve", "tune", "finetune")
    files = [f"{name}/{key}" for name in dictionaries for key in getattr(settings, name)]
    notes = [records.read_json(METRICS / f"{file}.json") for file in files]
    return {field: " or ".join(sorted({str(note[field]) for note in notes})) for field in ("precision", "threads", "cpu")}


def page_table(rows: list[dict[str, Any]]) -> str:
    """The first table for a terminal."""
    lines = [f"{'':4}{'experiment':58}{'printed':>18}{'we got':>18}"]
    for row in rows:
        if not row["detail"]:
            text = page.texts(row)
            lines.append(f"{row['id']:4}{row['what']:58}{text['printed_text']:>18}{text['got_text']:>18}")
    return "\n".join(lines)


if __name__ == "__main__":
    command.run(main)
