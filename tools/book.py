"""Run the books' own protocols, for days if need be, and keep in results/book what each stage gave. `make book` calls it.

    python -m tools.book [--seeds 14 15] [--only K7 T4] [--jobs N]

Reads  this project at HEAD; .cache/downloads and DVC's cache, which it shares; bench/results.json
Writes results/book/seed_<seed>/ (see relearn/claims/kept.py); .book/seed_<seed>/, a clone at scale book in which stages run

Killed at any moment, the same command goes on. A new commit is taken over: DVC decides what it makes stale.
"""

import contextlib
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from relearn import checks
from relearn.data import pins, places
from relearn.process import command
from relearn.report import page, printed
from relearn.review.changes import git
from relearn.scheduling import estimates, keeping, plans
from relearn.scheduling.estimates import Estimate
from relearn.scheduling.side_by_side import Done
from tools import recover, repro, results

COPIES = Path(".book")
CODE = ("dvc.yaml", "params.yaml", "photos/dvc.yaml", "photos/params.yaml", "pyproject.toml", "relearn",
        "requirements.txt", "stages", "tools")  # fmt: skip
OUTPUTS = ("metrics", "plots", "reports", "results", "dvc.lock", "photos/metrics", "photos/plots", "photos/reports",
           "photos/dvc.lock")  # of a copy its own, also when it takes over a commit  # fmt: skip
LOOK_SECONDS = 5.0
TELL_SECONDS = 600.0


def main(arguments: list[str] | None = None, scale: str = "book") -> None:
    parser = command.parser()
    parser.add_argument("--seeds", nargs="*", type=int, help="one after the other (that of params.yaml)")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="ID", help="ids of printed.yaml, K for all of K, or stages (all)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="stages at a time (1: a training takes all cores)")
    options = parser.parse_args(arguments)
    os.chdir(places.top())
    with command.told(), repro.alone(COPIES / "lock", "make book"):
        wanted = targets(ids(), options.only)
        refuse_uncommitted()
        seeds = options.seeds or [checks.load().seed]
        sittings = []
        for seed in seeds:
            copy = prepared(seed, scale)
            sittings.append(Sitting(seed, copy, wanted, scale))
        tell(sittings, options.jobs)
        failures = []
        for sitting in sittings:
            try:
                sitting.run(options.jobs)
            except ValueError as error:  # a stage failed, which the next seeds need not wait for
                failures.append(f"seed {sitting.seed}: {error}")
        if failures:
            raise ValueError("\n".join(failures))


def refuse_uncommitted() -> None:
    """ValueError when what the copies are made from is not HEAD's."""
    if changed := [line[3:] for line in git("status", "--porcelain", "--", *CODE).splitlines()]:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise ValueError(f"{', '.join(changed[:3])}{more}: not as in HEAD, which `make book` runs: commit or stash first")


def ids() -> dict[str, set[str]]:
    """For each stage that writes something to keep: the ids of printed.yaml that its numbers belong to."""
    found: dict[str, set[str]] = {}
    for folder in results.PIPELINES:
        of_metric: dict[str, set[str]] = {}
        for row in printed.read(folder / printed.FILE):
            of_metric.setdefault(row.metric.rpartition(".")[0], set()).add(row.id)
        pipeline = "" if folder == Path() else f"{folder}/"
        for stage in results.stages(folder):
            if any(keeping.is_kept(out, pipeline) for out in stage.outs):
                own = set[str]().union(*(of_metric.get(name, set()) for name in stage.metrics))
                said = set(re.findall(r"\b[A-Z]\d+\b", stage.about))
                found[stage.target] = own or (said if len(said) == 1 else set())  # t-SNE has no metrics
    return found


def targets(known: Mapping[str, Collection[str]], only: Collection[str]) -> list[str]:
    """The stages of some ids, or letters of ids, or named as they are; all without any. ValueError for what there is not."""
    called = {target: {target, *own, *(name[0] for name in own)} for target, own in known.items()}
    names = sorted(set[str]().union(*known.values()))
    if unknown := [word for word in only if not any(word in words for words in called.values())]:
        raise ValueError(f"--only {' '.join(unknown)}: there are {', '.join(names)}, a letter for all of its ids, "
                         "or a stage with results, as evaluate@lenet")  # fmt: skip
    return [target for target, words in called.items() if not only or words.intersection(only)]


def prepared(seed: int, scale: str) -> Path:
    """The working copy of a seed, at HEAD and at `scale`, with the outputs of earlier sittings."""
    copy = COPIES / f"seed_{seed}"
    if (copy / ".dvc/config.local").is_file():  # the last that is written of a new one
        keeper(seed, copy, scale).all()  # of an earlier sitting that was killed, at the commit that it ran
    else:
        git("init", "--quiet", str(copy))
    git("-C", str(copy), "fetch", "--quiet", str(Path.cwd()), "HEAD")
    git("-C", str(copy), "restore", "--source=FETCH_HEAD", "--staged", "--worktree", "--", ".",
        *(f":(exclude){name}" for name in OUTPUTS))  # fmt: skip
    git("-C", str(copy), "update-ref", "--no-deref", "HEAD", "FETCH_HEAD")
    settings = copy / "params.yaml"
    text = settings.read_text()
    for key, value in (("scale", scale), ("seed", seed)):
        text, found = re.subn(rf"^{key}: *\w+", f"{key}: {value}", text, count=1, flags=re.MULTILINE)
        if not found:
            raise ValueError(f"params.yaml: no line begins with {key}:")
    settings.write_text(text)
    shared = places.downloads().resolve()
    shared.mkdir(parents=True, exist_ok=True)
    (copy / ".cache").mkdir(exist_ok=True)
    if not (copy / ".cache/downloads").is_symlink():
        (copy / ".cache/downloads").symlink_to(shared)
    (copy / ".dvc/config.local").write_text(f"[cache]\n    dir = {recover.cache().resolve()}\n")
    return copy


def keeper(seed: int, copy: Path, scale: str) -> keeping.Keeper:
    """What keeps the results of a copy at its present commit."""
    return keeping.Keeper(seed, copy, scale, git("-C", str(copy), "rev-parse", "--short", "HEAD").strip())


class Sitting:
    """What is to run for one seed, and what of it is done."""

    def __init__(self, seed: int, copy: Path, wanted: Sequence[str], scale: str) -> None:
        self.seed, self.copy, self.wanted, self.scale = seed, copy.resolve(), wanted, scale
        self.keeper = keeper(seed, copy, scale)
        self.keeper.all()  # what was there before this sitting
        with contextlib.chdir(copy):
            recover.main()
            pins.clear()  # of this process; what it starts goes by the copy's params.yaml
            plan = plans.make(wanted, scale)
        self.left = estimates.of_stages(plan.needs, scale, self.keeper.seconds_before())
        self.reports = queue.SimpleQueue[tuple[str, Done | None]]()  # by side_by_side, taken out by `look`
        self.running: set[str] = set()
        self.failed: set[str] = set()
        self.not_run: set[str] = set()  # since they turned out to be up to date

    def run(self, jobs: int) -> None:
        """Runs what is left, keeps what ends, and tells how far it is."""
        if not self.left:
            print(f"seed {self.seed}: everything is up to date", flush=True)
            return
        over = threading.Event()
        watcher = threading.Thread(target=self.watch, args=(over, jobs), daemon=True)
        with contextlib.chdir(self.copy):
            plans.note(self.scale, {name: estimate.seconds for name, estimate in self.left.items()})
            watcher.start()
            try:
                with repro.alone():
                    repro.run(self.wanted, jobs, report=lambda name, done: self.reports.put((name, done)))
            finally:
                over.set()
                watcher.join()
                self.look()

    def look(self) -> bool:
        """Takes in which stages began and ended, and keeps what these gave; says whether one has ended."""
        before = len(self.left)
        while not self.reports.empty():
            name, done = self.reports.get()
            if done is None:
                self.running.add(name)
                continue
            self.running.discard(name)
            self.left.pop(name, None)
            if done.error:
                self.failed.add(name)
            elif not done.ran:
                self.not_run.add(name)
        kept = self.keeper.all()
        self.running.difference_update(kept)  # DVC notes the end in dvc.lock before it is reported
        self.keeper.forget(self.not_run)
        return len(self.left) < before

    def watch(self, over: threading.Event, jobs: int) -> None:
        """Until `over`: keeps what has ended, counts the seconds of what runs, and prints how far it is."""
        total, told = len(self.left), time.monotonic()
        while not over.wait(LOOK_SECONDS):
            try:
                ended = self.look()
                running = self.keeper.count(self.running, LOOK_SECONDS)
            except OSError as error:  # a full disk: tried again, at the end without this
                print(f"results/book: {error}", file=sys.stderr, flush=True)
                continue
            if time.monotonic() - told > (60.0 if ended else TELL_SECONDS):
                told = time.monotonic()
                seconds = remaining(self.left, running) / jobs
                at = time.strftime("%a %H:%M", time.localtime(time.time() + seconds))
                now = "; ".join(f"{name} since {page.duration(spent)}" for name, spent in running.items())
                failed = f", {len(self.failed)} failed" if self.failed else ""
                print(f"{time.strftime('%H:%M:%S')}  seed {self.seed}: {total - len(self.left) - len(self.failed)} of {total} "
                      f"stages done{failed}, over at about {at}{f' ({now})' if now else ''}", flush=True)  # fmt: skip


def remaining(left: dict[str, Estimate], running: dict[str, float]) -> float:
    """Seconds of the stages that have not ended, less those that the running ones have had."""
    return sum(max(0.0, estimate.seconds - running.get(name, 0.0)) for name, estimate in left.items())


def tell(sittings: Sequence[Sitting], jobs: int) -> None:
    """Prints what will run, about how long, and how that is known."""
    for sitting in sittings:
        if sitting.left:
            print(f"seed {sitting.seed}, in {os.path.relpath(sitting.copy)}: {len(sitting.left)} stages may have to run")
            for name, estimate in sitting.left.items():
                print(f"    {name:44} {page.duration(estimate.seconds):>12}  {estimate.source}")
    everything = [estimate for sitting in sittings for estimate in sitting.left.values()]
    if everything:
        seconds = sum(estimate.seconds for estimate in everything) / jobs
        print(f"About {page.duration(seconds)} in all. Operations are counted in metrics/train and timed in "
              f"{estimates.BENCH} ({estimates.measured_on()}).", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
