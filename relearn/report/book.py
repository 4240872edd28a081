"""The page of results/book: the same sections as a run's page, made from what is kept of all seeds."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from relearn.claims import kept
from relearn.params.whole import Params
from relearn.report import page, sections
from relearn.report.page import Section

ALL_SEEDS = ("plots/history/", "plots/learning_curve/", "plots/finetune/")  # tables whose rows are put together
TRAINED = ("metrics/evaluate/{}.json", "plots/history/{}.csv", "plots/confusion/{}.csv", "plots/roc/{}.csv")
NEEDED = {  # by the sections on a block of each dictionary
    "train": ("metrics/train/{}.json", "plots/evaluate/{}.json", *TRAINED),
    "learning_curve": ("plots/learning_curve/{}.csv",),
    "repeat": ("plots/finetune/{}.csv",),
    "finetune": ("plots/finetune/{}.csv",),
    "tsne": ("plots/tsne/{}.csv",),
    "classify": ("metrics/classify/{}.json", "plots/classify/{}.csv"),
    "tune": ("metrics/tune/{}.json", "plots/tune/{}.csv"),
    "augment": ("plots/augmentation/{}.png",),
    "describe": ("metrics/describe/{}.json", "plots/describe/{}_sheet.png"),
}
OF_PHOTOS = ("metrics/gather/{}.json", "metrics/classify/{}_probe.json",
             *(name.format(f"{{}}_{phase}") for name in TRAINED for phase in ("head", "tuned")))  # fmt: skip


def render(rows: list[dict[str, Any]], more: Iterable[Section] = (), folder: Path = kept.BOOK) -> str:
    """The page as HTML, the same bytes for the same results.

    rows: those of the tables, with ours as `got`, `standard_error` and `n`. more: sections that stand first.
    """
    seeds = kept.seeds(folder)
    runs = [pair for each in seeds.values() for pair in kept.runs(each).items()]
    noted = [run for _, run in runs]
    machine = {name: " or ".join(sorted({str(run[name]) for run in noted})) for name in ("precision", "threads", "processor")}
    results = {
        "scale": "book",
        "seed": ", ".join(map(str, seeds)),
        "machine": machine,
        "rows": rows,
        "experiments": {},
        "digest": digest(folder),
    }
    longest_first = sorted(((run["seconds"], name) for name, run in runs if run.get("seconds") is not None), reverse=True)
    seconds = {name: each for each, name in longest_first}
    times = dict(sorted(seconds.items(), key=lambda item: -item[1]))
    versions: dict[str, set[str]] = {}
    for run in noted:
        for name, version in run.get("versions", {}).items():
            versions.setdefault(name, set()).add(version)
    made_with = {name: " or ".join(sorted(found)) for name, found in versions.items()}
    return page.render(results, [*more, *built(rows, folder)], times, (), len(seconds), made_with)


def built(rows: list[dict[str, Any]], folder: Path = kept.BOOK) -> list[Section]:
    """The sections of both pipelines, of what is kept."""
    by_cost = sections.trainings_by_cost(kept.at_scale(Path()), lambda metric: kept.value(metric, folder).mean)
    with put_together(folder) as (settings, photos):
        return [*sections.build(settings, rows, by_cost), *sections.build(photos, rows)]


@contextlib.contextmanager
def put_together(folder: Path) -> Iterator[tuple[Params, Params]]:
    """A folder like one in which a run has ended, entered: metrics/ and plots/ of the first seed that has each file.

    Gives the parameters of both pipelines, with the experiments that have all their files. Tables of single trainings have
    the rows of all seeds, with a column `seed`.
    """
    settings, photos = kept.at_scale(Path()), kept.at_scale(Path("photos"))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for file in files(folder):
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            paths = kept.files(file, folder)
            if file.startswith(ALL_SEEDS):
                tables = [pd.read_csv(path).assign(seed=seed) for seed, path in paths.items()]
                pd.concat(tables).to_csv(place / file, index=False)
            else:
                shutil.copyfile(next(iter(paths.values())), place / file)
        with contextlib.chdir(place):
            yield present(settings), present(photos)


def present(settings: Params) -> Params:
    """The parameters without the experiments of which something is missing in this folder, and without photographs to show."""
    have = {
        name: {key: block for key, block in getattr(settings, name).items() if _there(templates, key)}
        for name, templates in NEEDED.items()
    }
    have["datasets"] = {key: block for key, block in settings.datasets.items() if _there(OF_PHOTOS, key)}
    have["train"] = {key: spec for key, spec in have["train"].items() if not spec.images.endswith("augmented") or have["augment"]}
    single = settings.one_vs_rest
    if single and not (_there(("metrics/{}.json", "plots/confusion/{}.csv"), "one_vs_rest") and single.against in have["train"]):
        single = None
    gallery = {key: count for key, count in settings.report.gallery.items() if key in have["train"]}
    report = settings.report.model_copy(update={"gallery": gallery})
    shown: dict[str, Any] = {"one_vs_rest": single, "report": report, "predict": {}, "style_transfer": {}}
    return settings.model_copy(update={**have, **shown})


def files(folder: Path) -> list[str]:
    """What is kept of any seed, as its name in the seed's folder."""
    folders = kept.seeds(folder).values()
    return sorted({path.relative_to(each).as_posix() for each in folders for path in each.glob("*/**/*") if path.is_file()})


def digest(folder: Path = kept.BOOK) -> str:
    """A hash of all that is kept, by which a test sees whether the page is of it."""
    found = hashlib.sha256()
    for each in kept.seeds(folder).values():
        for path in sorted(path for path in each.rglob("*") if path.is_file()):
            found.update(f"{path.relative_to(folder).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def _there(templates: Iterable[str], key: str) -> bool:
    return all(Path(template.format(key)).is_file() for template in templates)
