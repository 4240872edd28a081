"""What an edit makes stale: what can change a result is run again, and nothing else."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.pipeline.conftest import Clone
from tests.pipeline.test_faults import wait_for
from tests.pipeline.test_repro import ran
from tests.support import clones, torture

PHOTOS = "photos/dvc.yaml"
LONG = 400  # epochs, so that the training is still running when it is killed
ADDED = "# an edit\n"
SENTENCE = "<!-- a sentence more -->"
BATCHES = (".permutation(self.images)", ".permutation(self.images)[::-1]")  # in relearn/training/fit.py
# What trains, and what follows from that.
TRAININGS = {"train", "one_vs_rest", "learning_curve", "tune", "repeat", "finetune", f"{PHOTOS}:head", f"{PHOTOS}:tuned"}
FOLLOWING = {
    "evaluate", "embed", "tsne", "collect", "report",
    *(f"{PHOTOS}:{name}" for name in ("evaluate_head", "evaluate_tuned", "embed", "probe", "collect", "report")),
}  # fmt: skip
DATA = {"download", "augment", "relabel", "describe", "fetch", f"{PHOTOS}:gather"}
TELL = (
    "relearn/checks/references.py",
    "relearn/process/progress.py",
    "relearn/process/lockfile.py",
    "relearn/training/__pycache__/fit.cpython-311.pyc",
    "stages/__pycache__/train.cpython-311.pyc",
)


@contextlib.contextmanager
def edited(clone: Clone, path: str, old: str, new: str) -> Iterator[None]:
    """A file of the clone with another text, for a while; without `old`, `new` is added to it."""
    file = clone.folder / path
    before = file.read_bytes() if file.is_file() else None  # bytes, since compiled code may be there
    if old:
        assert before is not None
        assert before.count(old.encode()) == 1
    file.parent.mkdir(exist_ok=True)
    file.write_bytes((before or b"").replace(old.encode(), new.encode()) if old else (before or b"") + new.encode())
    try:
        yield
    finally:
        file.write_bytes(before) if before is not None else file.unlink()


@contextlib.contextmanager
def changed(clone: Clone, path: str, change: clones.Change) -> Iterator[None]:
    """The parameters in a file of the clone changed, for a while."""
    before = (clone.folder / path).read_text()
    clones.rewrite(clone.folder / path, change)
    try:
        yield
    finally:
        (clone.folder / path).write_text(before)


def stale(clone: Clone) -> set[str]:
    """Names of the stages of both pipelines that `dvc repro` would run, with all that follow from them."""
    return set(ran(clone.run("dvc", "repro", "--dry", "--force-downstream", "dvc.yaml", PHOTOS).stdout))


def kinds(stages: set[str]) -> set[str]:
    return {name.partition("@")[0] for name in stages}


def test_what_refuses_or_tells_or_is_only_compiled_makes_nothing_stale(smoke):
    with contextlib.ExitStack() as edits:
        for path in TELL:
            edits.enter_context(edited(smoke, path, "", ADDED))
        assert stale(smoke) == set()


def test_another_sentence_of_the_report_makes_the_reports_stale_and_nothing_else(smoke):
    with edited(smoke, "relearn/report/page.html.j2", "", SENTENCE):
        assert stale(smoke) == {"report", f"{PHOTOS}:report"}


def test_another_way_to_draw_batches_makes_trainings_and_what_follows_stale_but_no_data(smoke):
    with edited(smoke, "relearn/training/fit.py", *BATCHES):
        stages = stale(smoke)
    assert kinds(stages) >= TRAININGS | FOLLOWING
    assert {name for name in stages if kinds({name}) <= DATA} == {"relabel@first_2000_embedded"}, "that view is of an embedding"
    assert "classify@embedded" in stages
    assert "classify@raw" not in stages


def test_a_new_experiment_runs_itself_and_the_tables_only(smoke):
    def add(settings):
        settings["train"]["another"] = settings["train"]["lenet"] | {"batch": 32}

    with changed(smoke, "params.yaml", add):
        assert stale(smoke) == {"train@another", "evaluate@another", "collect", "report"}


def test_another_number_of_a_phase_of_the_photographs_makes_what_follows_from_it_stale_only(smoke):
    def tune_longer(settings):
        settings["recipes"]["frozen"]["tune"]["epochs"]["smoke"] = 2

    with changed(smoke, "photos/params.yaml", tune_longer):
        assert stale(smoke) == {f"{PHOTOS}:{name}" for name in
                                ("tuned@my_photos", "evaluate_tuned@my_photos", "collect", "report")}  # fmt: skip


def test_an_experiment_changes_one_phase_of_one_recipe_and_no_other(smoke):
    """Inside photos/ its parameters and stages are named without a path."""
    assignment = "recipes.augmented.head.augmentation.zoom=0.35"
    smoke.run("dvc", "exp", "run", "--temp", "--single-item", "--name", "zoom", "-S", assignment, "collect", inside="photos")
    expected = yaml.safe_load((smoke.folder / "photos/params.yaml").read_text())
    expected["recipes"]["augmented"]["head"]["augmentation"]["zoom"] = 0.35
    assert yaml.safe_load(of_experiment(smoke, "zoom", "photos/params.yaml")) == expected


def of_experiment(clone: Clone, name: str, path: str) -> str:
    """A file of an experiment."""
    [ref] = clone.run("git", "for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{name}").stdout.split()
    return clone.run("git", "show", f"{ref}:{path}").stdout


def test_photographs_run_the_code_of_their_own_clone_whatever_is_installed(smoke):
    page = smoke.folder / "photos/reports/smoke/index.html"
    with edited(smoke, "relearn/report/page.html.j2", "", SENTENCE):
        smoke.run("dvc", "repro", "--single-item", "report", inside="photos")
        assert SENTENCE in page.read_text()
    smoke.run("dvc", "repro", "--single-item", "report", inside="photos")
    assert SENTENCE not in page.read_text()


def test_a_queued_experiment_of_the_photographs_runs_with_the_code_and_the_numbers_that_it_was_queued_with(smoke):
    """Queued and run at the top: inside photos/, DVC would forget in which folder it was queued."""
    table, params = "photos/metrics/summary/my_photos_head.json", "photos/params.yaml"
    loss = json.loads((smoke.folder / table).read_text())["loss"]
    expected = yaml.safe_load((smoke.folder / params).read_text())
    with edited(smoke, "stages/collect.py", "column: record[column]", "column: record[column] + 7"):
        options = ("--single-item", "--name", "queued", "-S", f"{params}:recipes.copies.tune.epochs.quick=7")
        smoke.run("dvc", "exp", "run", "--queue", *options, f"{PHOTOS}:collect")
    smoke.run("dvc", "exp", "run", "--run-all")
    assert json.loads(of_experiment(smoke, "queued", table))["loss"] == pytest.approx(loss + 7)
    expected["recipes"]["copies"]["tune"]["epochs"]["quick"] = 7
    assert yaml.safe_load(of_experiment(smoke, "queued", params)) == expected
    assert json.loads((smoke.folder / table).read_text())["loss"] == loss


def test_the_garbage_collection_of_either_pipeline_keeps_what_both_need(smoke):
    smoke.run("dvc", "gc", "--workspace", "--force")
    for folder in ("data", "models", "photos/data", "photos/models", "photos/plots"):
        shutil.rmtree(smoke.folder / folder)
    smoke.run("git", "checkout", "-q", ".")
    smoke.run("dvc", "checkout", "-q")
    assert smoke.run("dvc", "status").stdout == "Data and pipelines are up to date.\n"


def killed(clone: Clone, log: Path) -> str:
    """What `dvc repro train@lenet` printed until it was killed, after some epochs."""
    log.write_bytes(b"")
    process = torture.start(clone.folder, ["train@lenet"], log, DATASETS_DIR=str(clone.datasets))
    try:
        wait_for(lambda: len(torture.EPOCH.findall(log.read_text())) > 2, log)
    finally:
        torture.end(process)
        process.wait()
    return log.read_text()


def epochs(output: str) -> list[int]:
    return [int(epoch) for _, epoch, _ in torture.EPOCH.findall(output)]


def test_a_half_done_training_survives_an_edit_of_the_report_and_not_one_of_the_training(smoke, tmp_path):
    """The last one here: it leaves a network untrained."""
    clones.rewrite(smoke.folder / "params.yaml", lambda settings: settings["train"]["lenet"]["epochs"].update(smoke=LONG))
    before = epochs(killed(smoke, tmp_path / "first"))
    assert before[0] == 1
    with edited(smoke, "relearn/report/page.py", "", ADDED):
        output = killed(smoke, tmp_path / "second")
    assert re.search(rf"^lenet: resumed after epoch \d+ of {LONG}$", output, re.MULTILINE)
    assert epochs(output)[0] > before[-1]
    with edited(smoke, "relearn/training/fit.py", *BATCHES):
        output = killed(smoke, tmp_path / "third")
    assert "resumed" not in output
    assert epochs(output)[0] == 1
