"""Put every result into one page to look at, and one JSON file to compute with.

    python -m stages.report

Reads  params, printed.yaml; metrics/, plots/
Writes reports/<scale>/results.json, reports/<scale>/index.html
"""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from relearn import checks
from relearn.data import places, processor, records
from relearn.params.whole import Params
from relearn.process import command, states, timings
from relearn.report import page, printed, sections
from relearn.report.printed import Row

METRICS = Path("metrics")
TIMED = ("download", "augment", "describe", "relabel", "train", "learning_curve", "embed", "tsne", "classify", "tune",
         "finetune", "predict", "style_transfer", "transfer")  # fmt: skip
PACKAGES = ("dvc", "keras", "tensorflow", "scikit-learn", "numpy")


def main() -> None:
    settings = checks.load()
    with timings.stage("report", settings.scale):
        rows = [compared(row) | {"backbone": printed.backbone_of(settings, row.metric)} for row in printed.load(settings)]
        results = {
            "scale": settings.scale,
            "seed": settings.seed,
            "machine": machine(settings),
            "rows": rows,
            "experiments": {path.stem: records.read_json(path) for path in sorted(METRICS.glob("summary/[!.]*.json"))},
        }
        folder = Path("reports") / settings.scale
        records.write_json(folder / "results.json", results)
        times = timings.read(settings.scale, stages := timed(settings))
        html = page.render(results, sections.build(settings, rows), times, records.HEADLINE, len(stages), here())
        (folder / "index.html").write_text(html)
        states.sweep()
    if rows:
        print(page_table(rows))
    print(f"Report: {os.path.relpath(folder / 'index.html', places.top())}")


def compared(row: Row) -> dict[str, Any]:
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
    files += [f"finetune/{key}" for key in settings.repeat]
    notes = [records.read_json(METRICS / f"{file}.json") for file in files]
    return {field: " or ".join(sorted({str(note[field]) for note in notes})) for field in ("precision", "threads", "kernels")}


def here() -> dict[str, str]:
    """What this page was made with; like run times not in results.json, which is the same everywhere."""
    return {"processor": processor.name(), "Python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def timed(settings: Params) -> list[str]:
    """Names of all stages, as their scripts note their times."""
    names = [f"{name}@{key}" for name in TIMED for key in getattr(settings, name)]
    names += [f"download@{key}" for key in settings.archives] + [f"fetch@{key}" for key in settings.backbones]
    names += [f"gather@{key}" for key in settings.datasets] + [f"finetune@{key}" for key in settings.repeat]
    names += [f"evaluate@{key}" for key in [*settings.train, *settings.transfer]]
    return [*names, *(["one_vs_rest"] if settings.one_vs_rest else []), "collect", "report"]


def page_table(rows: list[dict[str, Any]]) -> str:
    """The first table for a terminal."""
    lines = [f"{'':4}{'experiment':58}{'printed':>18}{'ours':>18}"]
    for row in rows:
        if not row["detail"]:
            text = page.texts(row)
            lines.append(f"{row['id']:4}{row['what']:58}{text['printed_text']:>18}{text['got_text']:>18}")
    return "\n".join(lines)


if __name__ == "__main__":
    command.run(main)
