"""Write what a reader sees of results: every printed number beside ours, in README.md, docs/results.md and on a page.

    python -m tools.results

Reads  printed.yaml, dvc.yaml, params.yaml, reports/quick/results.json, the same four in photos/; claims.yaml;
       results/book/seed_*/
Writes reports/book/index.html; in short what stands between two markers in README.md, at length in docs/results.md
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from relearn.claims import judging, kept
from relearn.claims.judging import FAILS, HOLDS, MISSING, UNDECIDED, Verdict
from relearn.claims.kept import Value
from relearn.data import records
from relearn.params import whole
from relearn.process import atomic, command
from relearn.report import book, page, printed, sections, sections_claims
from relearn.report.printed import Row

README, PAGE, HTML = Path("README.md"), Path("docs/results.md"), Path("reports/book/index.html")
MARKERS = ("<!-- results: written by `python -m tools.results` -->\n", "<!-- /results -->\n")
PIPELINES = (Path(), Path("photos"))
ORDER, VERDICTS = (FAILS, HOLDS, UNDECIDED), 10  # those in README
ABOUT = "{} {} of [them](docs/results.md#the-chapters-claims); a claim with several comparisons shows its weakest:"
ABOUT_ALL = (
    "{} `claimed` is where the difference lies if the claim holds. `p` is corrected for all claims of a family. "
    '"One training" is tested on the test images: another may decide otherwise. [How each is tested](experiments.md#claims).'
)
NEAR = 0.015
OURS, OPERATIONS = "ours at the books' protocol", "10^15 operations"
NUMBERS = ("printed", "p", OURS, "difference", "scale quick", "scale book", "n", OPERATIONS, "accuracy")  # columns


@dataclass(frozen=True)
class Stage:
    """A stage as `dvc repro` takes it at the top, its block of params.yaml, what it does, and what it writes."""

    target: str
    block: str
    about: str
    outs: tuple[str, ...]

    @property
    def metrics(self) -> list[str]:
        """Its files in metrics/, without folder and .json."""
        return [file[1] for out in self.outs if (file := re.fullmatch(r"metrics/(.+)\.json", out))]


@dataclass(frozen=True)
class Line:
    """A row of printed.yaml with our numbers as people read them."""

    row: Row
    folder: Path
    stage: Stage
    quick: str
    ours: Value
    backbone: str | None  # ours

    @property
    def texts(self) -> dict[str, str]:
        """Printed, ours at scale book and the difference, as the page shows them."""
        return page.texts(row(self))

    @property
    def book(self) -> str:
        return self.texts["got_text"]

    @property
    def n(self) -> str:
        return str(self.ours.n or "")

    @property
    def file(self) -> Path:
        return self.folder / f"metrics/{self.row.metric.rpartition('.')[0]}.json"

    @property
    def printed(self) -> str:
        return self.texts["printed_text"]

    @property
    def difference(self) -> float | None:
        """Ours less printed; None where one of them is missing."""
        return None if self.ours.mean is None or self.row.printed is None else self.ours.mean - self.row.printed

    @property
    def of_note(self) -> bool:
        """Whether README shows it: a share that the book printed, and none of its details."""
        return not self.row.detail and self.row.printed is not None and self.row.printed <= 1


def main() -> None:
    lines, found = [line for folder in PIPELINES for line in read(folder)], judging.verdicts(kept.BOOK)
    for path, tables in ((README, headline(lines) + telling(found)), (PAGE, everything(lines, found))):
        atomic.write_text(path, atomic.replaced(path, MARKERS, tables))
    atomic.write_text(HTML, book.render([row(line) for line in lines], sections_claims.build(found)))
    print(f"{PAGE}, {HTML}: {len(lines)} rows, {sum(line.book != MISSING for line in lines)} of them at scale book")


def read(folder: Path) -> Iterator[Line]:
    """The rows of a pipeline's printed.yaml whose experiments are in its params.yaml."""
    writers = {name: stage for stage in stages(folder) for name in stage.metrics}
    settings = kept.at_scale(folder)
    quick = {row["metric"]: row for row in records.read_json(folder / "reports/quick/results.json")["rows"]}
    for row in printed.read(folder / printed.FILE):
        if stage := writers.get(row.metric.rpartition(".")[0]):
            got = quick.get(row.metric) or row.model_dump() | {"got": None, "n": 0}
            yield Line(row, folder, stage, page.texts(got)["got_text"], kept.value(row.metric),
                       printed.backbone_of(settings, row.metric))  # fmt: skip


def row(line: Line) -> dict[str, Any]:
    """A line of the page's first table."""
    ours = {"got": line.ours.mean, "standard_error": line.ours.error, "n": line.ours.n, "backbone": line.backbone}
    return line.row.model_dump() | ours


def text(value: float | None, error: float | None) -> str:
    """`0.7010 ± 0.0030`, the bare value where nothing was repeated, `not yet run` without one."""
    return MISSING if value is None else page.with_error(value, error)


def stages(folder: Path) -> Iterator[Stage]:
    """All stages of a pipeline, one for each key."""
    settings = whole.read(folder / whole.FILE)
    prefix = "" if folder == Path() else f"{folder}/dvc.yaml:"
    for name, stage in YAML(typ="safe", pure=True).load((folder / "dvc.yaml").read_text())["stages"].items():
        dictionary = re.sub(r"\W", "", stage.get("foreach", ""))
        body = stage.get("do", stage)
        outs = [next(iter(out)) if isinstance(out, dict) else out for out in body.get("outs", body.get("metrics", []))]
        for key in settings[dictionary] if dictionary else [""]:
            target, block = (f"{name}@{key}", f"{dictionary}.{key}") if key else (name, name)
            yield Stage(prefix + target, block, body["desc"], tuple(out.replace("${key}", key) for out in outs))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its numbers to the right."""
    rule = ["--:" if name in NUMBERS else "---" for name in header]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *rows))


def headline(lines: Sequence[Line]) -> str:
    """README's table. Rows of an id that begin alike up to their last comma share one, unless the book gives errors."""
    rows = []
    for (name, common), group in groupby((line for line in lines if line.of_note), key=shared):
        several = list(group)
        ends = [line.row.what.removeprefix(f"{common}, ") for line in several]
        what = f"{common}: {', '.join(ends)}" if len(several) > 1 else several[0].row.what
        counts = [line.n or "0" for line in several]
        n = several[0].n if len(set(counts)) == 1 else " / ".join(counts)
        rows.append(
            (name, what, *(" / ".join(cell) for cell in ([line.printed for line in several], [line.book for line in several])), n)
        )
    return table(("id", "experiment", "printed", OURS, "n"), rows)


def telling(found: Sequence[Verdict]) -> str:
    """README's verdicts: what does not hold first, then what holds, of each id the clearest; then what is undecided."""
    decided = sorted((each for each in found if each.p is not None), key=lambda each: (ORDER.index(each.verdict), each.p))
    first = {each.chapter: each for each in reversed(decided)}  # of each id
    chosen = sorted(first.values(), key=decided.index)
    chosen = sorted([*chosen, *(each for each in decided if each not in chosen)][:VERDICTS], key=list(found).index)
    names = ("verdict", "claim", "difference", "n", "p")
    rows = [[row[name] for name in names] for row in sections_claims.rows(chosen)]
    about = textwrap.fill(ABOUT.format(sections_claims.counted(found), len(rows)), 100)
    return f"\n{about}\n\n{table((*names[:2], 'difference (95 %)', *names[3:]), rows)}" if rows else ""


def shared(line: Line) -> tuple[str, str]:
    """What lines of README's table that share a row have in common."""
    begins, comma, _ = line.row.what.rpartition(", ")
    return line.row.id, begins if comma and line.row.printed_error is None and ":" not in line.row.what else line.row.what


def everything(lines: Sequence[Line], found: Sequence[Verdict] = ()) -> str:
    """The tables of docs/results.md."""
    header = ("id", "experiment", "printed", "scale book", "n", "difference", "scale quick", "block", "stage", "metric")
    parts = [outcomes(lines)]
    for folder, title in zip(PIPELINES, ("CIFAR-10 and MNIST (K, T, R, J)", "Photographs (Q, L)"), strict=True):
        rows = [cells(line) for line in lines if line.folder == folder]
        parts.append(f"\n## {title}\n\n{table(header, rows)}")
    return "".join([*parts, verdict_table(found), sizes(), costs()])


def outcomes(lines: Sequence[Line]) -> str:
    """README's rows by what came of them, a line each: within NEAR, higher, lower, not yet run."""
    groups: dict[str, list[str]] = {f"Within {NEAR} of the book": [], "Higher": [], "Lower": [], "Not yet run": []}
    within, higher, lower, later = groups.values()
    for line in (line for line in lines if line.of_note):
        away = line.difference
        group = later if away is None else within if round(abs(away), 3) <= NEAR else higher if away > 0 else lower
        shown = "" if away is None else f" ({page.change(away)})"
        group.append(f"{line.row.id} {line.row.what.removesuffix(': accuracy')}{shown}")
    listed = [f"- **{name}**: {'; '.join(group)}." for name, group in groups.items() if group]
    about = (
        "Ours at the books' protocols, less what is printed ([why](#numbers-that-do-not-come-out) some do not come out). "
        f"{NEAR} is where we draw the line: two accuracies near .7, each of 10,000 images, differ by less than 0.013, "
        "19 times of 20, and another seed, or fewer images, add to that."
    )
    return f"\n## Do the numbers hold?\n\n{textwrap.fill(about, 100)}\n\n" + "\n".join(listed) + "\n"


def verdict_table(found: Sequence[Verdict]) -> str:
    """Every claim of claims.yaml with its verdict."""
    if not found:
        return ""
    shown = [
        (*(row[name] for name in ("verdict", "claim", "difference", "claimed", "n", "p", "test")), f"`{each.id}`", each.note)
        for each, row in zip(found, sections_claims.rows(found), strict=True)
    ]
    header = ("verdict", "claim", "difference (95 %)", "claimed", "n", "p", "test", "id", "note")
    about = textwrap.fill(ABOUT_ALL.format(sections_claims.counted(found)), 100)
    return f"\n## The chapters' claims\n\n{about}\n\n{table(header, shown)}"


def cells(line: Line) -> tuple[str, ...]:
    """A line of docs/results.md."""
    metric = f"[{line.row.metric.rpartition('.')[0]}](../{line.file}) `{line.row.metric.rpartition('.')[2]}`"
    backbone = f" ({line.row.printed_with})" if line.row.printed_with else ""
    numbers = (line.printed + backbone, line.book, line.n, line.texts["difference_text"], line.quick)
    return (line.row.id, line.row.what, *numbers, f"`{line.stage.block}`", f"`{line.stage.target}`", metric)


def sizes() -> str:
    """T2 at scale book: accuracy by the number of training images."""
    settings = whole.resolved(whole.read(), "book").get("learning_curve")
    if not settings:
        return ""
    counts = next(iter(settings.values()))["counts"]
    curves = {key: [kept.value(f"learning_curve/{key}.accuracy_{count}") for count in counts] for key in sorted(settings)}
    rows = [(f"`learning_curve.{key}`", *(text(value.mean, value.error) for value in values)) for key, values in curves.items()]
    header = ("block", *(f"{count:,} images" for count in counts))
    repeats = " and ".join(sorted({str(value.n) for values in curves.values() for value in values}))
    return f"\n## T2 by the number of images, at scale book, {repeats} repeats each\n\n{table(header, rows)}"


def costs() -> str:
    """Ten-class CIFAR-10 networks by training cost, at scale book."""
    listed = [
        (f"`train.{row['name']}`", row["run"], f"{row['petaflop']:.3f}",
         page.with_error(row["accuracy"], kept.value(row["metric"]).error))
        for row in sections.trainings_by_cost(kept.at_scale(Path()), lambda metric: kept.value(metric).mean)
    ]  # fmt: skip
    if not listed:
        return ""
    title = "\n## Ten-class CIFAR-10 networks by training cost, at scale book\n\n"
    about = (
        "A training costs three forward passes for each image and epoch, counted in convolutions and dense\n"
        "layers. Accuracy is of one view of each test image.\n\n"
    )
    return title + about + table(("block", "images x epochs", OPERATIONS, "accuracy"), listed)


if __name__ == "__main__":
    command.run(main)
