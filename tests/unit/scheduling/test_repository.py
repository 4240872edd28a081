"""dvc.lock ends in the order of `dvc repro`, however a run went; YAML files are parsed once."""

import json
import time
from pathlib import Path

import pytest

from relearn.scheduling import repository

ENTRY = "  {0}:\n    cmd: run {0}\n    outs:\n    - path: {0}.out\n      hash: md5\n      md5: '0123'\n      size: 5\n"
ORDER = ["train@a", "train@b", "evaluate@a", "report", "photos/dvc.yaml:gather@a", "photos/dvc.yaml:report"]
LOCK, PHOTOS = Path("dvc.lock"), Path("photos/dvc.lock")


def text(*names: str) -> str:
    """A dvc.lock, as DVC writes it."""
    return "schema: '2.0'\nstages:\n" + "".join(map(ENTRY.format, names))


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (".dvc", ".state", "photos"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    return tmp_path


def test_new_entries_stand_behind_the_others_in_dvcs_order():
    LOCK.write_text(text("report", "train@a"))
    repository.note_order(ORDER)
    LOCK.write_text(text("report", "train@a", "evaluate@a", "train@b"))
    repository.put_in_order(ORDER)
    assert LOCK.read_text() == text("report", "train@a", "train@b", "evaluate@a")
    assert not repository.NOTED.exists()


def test_each_lock_file_has_the_order_of_its_own_stages():
    repository.note_order(ORDER)
    LOCK.write_text(text("report", "evaluate@a", "train@a"))
    PHOTOS.write_text(text("report", "gather@a"))
    repository.put_in_order(ORDER)
    assert LOCK.read_text() == text("train@a", "evaluate@a", "report")
    assert PHOTOS.read_text() == text("gather@a", "report")


def test_a_run_that_was_ended_leaves_its_entries_to_the_next_to_put_in_order():
    LOCK.write_text(text("report"))
    repository.note_order(ORDER)
    LOCK.write_text(text("report", "evaluate@a", "train@b"))
    repository.note_order(["train@a"])
    LOCK.write_text(text("report", "evaluate@a", "train@b", "train@a"))
    repository.put_in_order(ORDER)
    assert LOCK.read_text() == text("report", "train@a", "train@b", "evaluate@a")


def test_the_order_of_another_lock_file_that_has_come_meanwhile_is_kept():
    LOCK.write_text(text("report", "train@a"))
    repository.note_order(ORDER)
    LOCK.write_text(text("evaluate@a", "train@b", "train@a"))  # a branch was checked out
    repository.note_order(ORDER)
    repository.put_in_order(ORDER)
    assert LOCK.read_text() == text("evaluate@a", "train@b", "train@a")


def test_entries_of_stages_that_are_no_target_stay_before_those_that_are():
    LOCK.write_text(text("report"))
    repository.note_order(ORDER)
    LOCK.write_text(text("report", "evaluate@a", "other@b", "train@a", "other@a"))
    repository.put_in_order(ORDER)
    assert LOCK.read_text() == text("report", "other@b", "other@a", "train@a", "evaluate@a")


def test_a_lock_file_in_order_is_not_written():
    repository.note_order(ORDER)
    LOCK.write_text(text("train@a", "report"))
    before = LOCK.stat()
    repository.put_in_order(ORDER)
    assert (LOCK.stat().st_ino, LOCK.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    repository.put_in_order(ORDER[::-1])  # no run is open
    assert LOCK.read_text() == text("train@a", "report")


@pytest.mark.parametrize(
    "cut", ["schema: '2.0'\nstages:\n  train@a:\n    cmd: [x", "schema: '2.0'\n", "schema: '2.0'\nstages:\n"]
)
def test_a_lock_file_that_was_cut_off_is_an_error_that_says_what_mends_it(cut):
    LOCK.write_text(cut)
    with pytest.raises(ValueError, match=r"^dvc\.lock: is not whole: `python -m tools\.recover` puts it back$"):
        repository.note_order(ORDER)


def test_a_yaml_file_is_parsed_again_only_when_it_has_changed(tmp_path):
    parsed = []

    def load(path, fs=None):
        parsed.append(path)
        return {"numbers": json.loads(Path(path).read_text())}

    loaded = repository._remembering(load)
    path = tmp_path / "params.yaml"
    path.write_text("[1, 2]")
    first = loaded(path)
    first["numbers"].append(3)  # a reader's own copy
    assert loaded(path) == {"numbers": [1, 2]}
    assert len(parsed) == 1
    time.sleep(0.01)
    path.write_text("[4, 2]")
    assert loaded(path) == {"numbers": [4, 2]}
    assert len(parsed) == 2
