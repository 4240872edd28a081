"""What of a working copy goes to results/book, and when."""

import errno
import hashlib
import json
import shutil
from typing import Any

import pytest
import yaml

from relearn.data import processor
from relearn.scheduling import keeping
from tests.conftest import ROOT

FIRST, SECOND = "A processor, avx2", "Another, avx2 avx512f"
ZEN4, ZEN5 = (f"AMD EPYC, {family}avx2 avx512f" for family in ("family 25 model 17, ", "family 26 model 2, "))


class Copy:
    """A working copy whose stages have ended as its dvc.lock says."""

    def __init__(self, folder):
        self.folder = folder
        self.entries: dict[str, dict[str, Any]] = {"": {}, "photos/": {}}
        (folder / "photos").mkdir(parents=True)
        for name in ("params.yaml", "photos/params.yaml"):
            shutil.copy(ROOT / name, folder / name)

    def end(self, name, outs, deps=(), pipeline="", scale="quick"):
        """Lets a stage write `outs` at a scale, and DVC note it."""
        for path, text in outs.items():
            (self.folder / pipeline / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / pipeline / path).write_text(text)
        hashed = [
            {"path": path, "md5": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()} for path, text in outs.items()
        ]
        script, _, key = name.partition("@")
        entry = {
            "cmd": f"python -m stages.{script} {key}",
            "params": {"params.yaml": {"scale": scale}},
            "deps": [{"path": path} for path in deps],
            "outs": hashed,
        }
        self.entries[pipeline][name] = entry
        (self.folder / pipeline / "dvc.lock").write_text(yaml.safe_dump({"stages": self.entries[pipeline]}))

    def train(self, accuracy):
        self.end("train@a", {"models/a.keras": str(accuracy), "metrics/train/a.json": json.dumps({"accuracy": accuracy})})
        self.end("evaluate@a", {"metrics/evaluate/a.json": '{"accuracy": 0.5}'}, ["models/a.keras"])


@pytest.fixture
def copy(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "here", lambda: FIRST)
    return Copy(tmp_path / "copy")


@pytest.fixture
def book(tmp_path):
    return tmp_path / "book"


def keeper(copy, book):
    return keeping.Keeper(14, copy.folder, "quick", "1234abc", book)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_stages_metrics_and_plots_are_kept_with_what_they_come_from(copy, book):
    copy.end("train@a", {"models/a.keras": "weights", "metrics/train/a.json": "{}", "plots/history/a.csv": "epoch\n"})
    assert keeper(copy, book).all() == ["train@a"]
    assert sorted(files(book)) == [
        f"seed_14/{name}" for name in ("dvc.lock", "metrics/train/a.json", "params.yaml", "plots/history/a.csv", "runs.json")
    ]
    assert (book / "seed_14/params.yaml").read_text() == (ROOT / "params.yaml").read_text()
    assert yaml.safe_load((book / "seed_14/dvc.lock").read_text())["stages"] == copy.entries[""]


def test_results_of_another_scale_are_not_kept(copy, book):
    copy.end("train@a", {"metrics/train/a.json": "{}"})
    copy.end("train@b", {"metrics/train/b.json": "{}"}, scale="smoke")
    keeper(copy, book).all()
    assert [name for name in files(book) if "/train/" in name] == ["seed_14/metrics/train/a.json"]


def test_what_a_stage_writes_that_runs_again_is_not_kept_before_it_has_ended(copy, book):
    copy.train(0.25)
    watch = keeper(copy, book)
    watch.all()
    before = files(book)
    (copy.folder / "metrics/train/a.json").write_text('{"accuracy": 0.75}')
    copy.end("evaluate@b", {"metrics/evaluate/b.json": "{}"})
    assert watch.all() == ["evaluate@b"]
    assert files(book)["seed_14/metrics/train/a.json"] == before["seed_14/metrics/train/a.json"]
    assert "seed_14/metrics/evaluate/b.json" in files(book)


def test_a_lock_that_is_being_written_is_read_later(copy, book):
    copy.train(0.25)
    lock = copy.folder / "dvc.lock"
    whole = lock.read_text()
    lock.write_text(whole[: len(whole) // 2])
    watch = keeper(copy, book)
    assert watch.all() == []
    lock.write_text(whole)
    assert watch.all() == ["evaluate@a", "train@a"]


def test_another_processors_results_stay_and_ours_stand_beside_them_with_all_that_is_made_from_them(
    copy, book, monkeypatch, capsys
):
    copy.train(0.25)
    copy.end("describe@x", {"metrics/describe/x.json": "{}"})
    keeper(copy, book).all()
    before = files(book)
    monkeypatch.setattr(keeping, "here", lambda: SECOND)
    copy.train(0.75)
    keeper(copy, book).all()
    beside = book / "seed_14-another-avx2-avx512f"
    assert {name: text for name, text in files(book).items() if name.startswith("seed_14/")} == before
    assert json.loads((beside / "metrics/train/a.json").read_text()) == {"accuracy": 0.75}
    assert (beside / "metrics/evaluate/a.json").is_file()  # the same bytes, of another network
    assert not (beside / "metrics/describe").exists()
    assert {run["processor"] for run in json.loads((beside / "runs.json").read_text()).values()} == {SECOND}
    assert (
        "train@a: seed_14 has another processor's; ours are in seed_14-another-avx2-avx512f beside it" in capsys.readouterr().out
    )


def test_results_of_the_same_processor_take_the_place_of_older_ones_with_a_line(copy, book, capsys):
    for accuracy in (0.25, 0.25, 0.75):
        assert capsys.readouterr().out == ""
        copy.train(accuracy)
        keeper(copy, book).all()
    assert json.loads((book / "seed_14/metrics/train/a.json").read_text()) == {"accuracy": 0.75}
    assert [path.name for path in book.iterdir()] == ["seed_14"]
    assert capsys.readouterr().out == f"train@a: other results in seed_14, of {FIRST}, are replaced\n"


@pytest.mark.parametrize(("before", "folders"), [
    ("AMD EPYC, avx2 avx512f", ["seed_14"]),  # noted when families were not
    (ZEN5, ["seed_14"]),
    (ZEN4, ["seed_14", "seed_14-amd-epyc-family-26-model-2-avx2-avx512f"]),
    ("Intel Xeon, avx2 avx512f", ["seed_14", "seed_14-amd-epyc-family-26-model-2-avx2-avx512f"]),
])  # fmt: skip
def test_a_processor_of_the_same_name_is_another_when_its_family_is(copy, book, monkeypatch, capsys, before, folders):
    for name, accuracy in ((before, 0.25), (ZEN5, 0.75)):
        monkeypatch.setattr(keeping, "here", lambda name=name: name)
        copy.train(accuracy)
        keeper(copy, book).all()
    assert sorted(path.name for path in book.iterdir()) == folders
    replaced = f"train@a: other results in seed_14, of {before}, are replaced\n" in capsys.readouterr().out
    assert replaced == (folders == ["seed_14"])


@pytest.mark.parametrize(("text", "family"), [
    ("cpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\ncpu family\t: 26\nmodel\t\t: 2\n", "family 26 model 2, "),
    ("CPU implementer\t: 0x41\n", ""),
])  # fmt: skip
def test_this_processor_is_named_with_family_and_model(monkeypatch, tmp_path, text, family):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(keeping, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor, "name", lambda: "AMD EPYC")
    monkeypatch.setattr(processor, "flags", lambda: {"avx512f", "avx2", "fpu"})
    assert keeping.here() == f"AMD EPYC, {family}avx2 avx512f"


@pytest.mark.parametrize("copied", [0, 1])
def test_what_a_full_disk_refused_is_kept_at_the_next_look(copy, book, monkeypatch, copied):
    copy.train(0.25)
    watch = keeper(copy, book)
    watch.all()
    copyfile = shutil.copyfile
    copy.end("train@a", {"metrics/train/a.json": '{"accuracy": 0.75}', "plots/history/a.csv": "epoch\n"})
    (copy.folder / ".state/timings/quick").mkdir(parents=True)
    (copy.folder / ".state/timings/quick/train@a.json").write_text('{"seconds": 7.0}')
    done: list[Any] = []

    def full(path, to):
        if len(done) == copied:
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(copyfile(path, to))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                watch.all()
    assert watch.all() == ["train@a"]
    kept = files(book / "seed_14")
    assert (kept["metrics/train/a.json"], kept["plots/history/a.csv"]) == ('{"accuracy": 0.75}', "epoch\n")
    assert json.loads(kept["runs.json"])["train@a"]["seconds"] == 7.0
    assert watch.all() == []


def test_the_seconds_of_stages_that_turn_out_to_be_up_to_date_are_forgotten(copy, book):
    (copy.folder / ".state").mkdir()
    watch = keeper(copy, book)
    watch.count(["train@a", "train@b"], 5.0)
    watch.forget(["train@a", "report"])
    assert watch.count(["train@a", "train@b"], 1.0) == {"train@a": 1.0, "train@b": 6.0}


def test_no_picture_of_a_photograph_is_kept(copy, book):
    copy.end("predict@x", {"plots/predict/x.webp": "", "plots/predict/x.json": "{}"})
    copy.end("gather@x", {"plots/gather/x.png": "", "metrics/gather/x.json": "{}"}, pipeline="photos/")
    copy.end("evaluate@x", {"plots/evaluate/x.json": "{}", "plots/roc/x.csv": "", "metrics/evaluate/x.json": "{}"},
             pipeline="photos/")  # fmt: skip
    assert keeper(copy, book).all() == ["predict@x", "photos/dvc.yaml:evaluate@x", "photos/dvc.yaml:gather@x"]
    assert sorted(files(book / "seed_14")) == [
        "dvc.lock", "metrics/evaluate/x.json", "metrics/gather/x.json", "params.yaml", "photos.dvc.lock", "photos.params.yaml",
        "plots/roc/x.csv", "runs.json",
    ]  # fmt: skip


def test_runs_tell_on_what_a_stage_ran_and_for_how_long_with_what_was_killed(copy, book):
    (copy.folder / ".state/timings/quick").mkdir(parents=True)
    keeper(copy, book).count(["train@a"], 5.0)
    killed = keeper(copy, book)
    assert killed.count(["train@a"], 5.0) == {"train@a": 10.0}
    watch = keeper(copy, book)
    watch.count(["train@a"], 5.0)
    (copy.folder / ".state/timings/quick/train@a.json").write_text('{"seconds": 7.0}')
    copy.end("train@a", {"metrics/train/a.json": '{"precision": "bfloat16", "threads": 3, "kernels": "A processor"}'})
    copy.end("train@b", {"metrics/train/b.json": '{"precision": "bfloat16", "threads": 3, "kernels": "A third"}'})
    watch.all()
    runs = json.loads((book / "seed_14/runs.json").read_text())
    versions = runs["train@a"].pop("versions")
    assert versions.keys() == {"python", "tensorflow", "keras", "numpy", "scikit-learn"}
    assert runs["train@a"] == {
        "processor": FIRST, "commit": "1234abc", "precision": "bfloat16", "threads": 3, "seconds": 17.0}  # fmt: skip
    assert (runs["train@b"]["processor"], runs["train@b"]["seconds"]) == ("A third", None)  # from a cache that is shared
    assert keeper(copy, book).seconds_before() == {"train@a": 17.0}
    assert keeper(copy, book).count([], 5.0) == {}
