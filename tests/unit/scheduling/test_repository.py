"""dvc.lock ends in the order of `dvc repro`, however a run went; YAML files are parsed once."""

import contextlib
import copy
import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from ruamel.yaml.representer import RepresenterError

from relearn.scheduling import repository
from tests.conftest import ROOT

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


def test_an_entry_that_another_dvc_adds_before_we_have_its_lock_stays(monkeypatch):
    LOCK.write_text(text("report"))
    repository.note_order(ORDER)
    LOCK.write_text(text("report", "train@b", "train@a"))

    @contextlib.contextmanager
    def after_another():
        if "other@x" not in LOCK.read_text():  # each lock file waits for it, in any order
            LOCK.write_text(text("report", "train@b", "train@a", "other@x"))
        yield

    monkeypatch.setattr(repository, "opened", lambda: contextlib.nullcontext(SimpleNamespace(lock=after_another())))
    repository.put_in_order(ORDER)
    assert LOCK.read_text() == text("report", "other@x", "train@a", "train@b")


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
    assert loaded(path) == loaded(path) == {"numbers": [1, 2]}
    assert len(parsed) == 1
    time.sleep(0.01)
    path.write_text("[4, 2]")
    assert loaded(path) == {"numbers": [4, 2]}
    assert len(parsed) == 2


PARAMS = """
seed: 14
train: {a: {rate: 1e-05, sizes: [3, 4]}, b: {rate: 0.5, sizes: []}}
7: {3: seven}
"""
NAMES = [
    ["seed"], ["train.a", "seed", "train.b.rate"], ["train.a.sizes.1"], ["train.*.none", "seed"], ["train.a.r*"], ["7.3"], ["7"],
    ["nothing", "seed.deeper", "train.c"], ["train.*.rate"], [],
]  # fmt: skip
READ = """
from dvc.dependency import param
from dvc.fs import localfs
from relearn.scheduling import repository

{opened}
for names in {names}:
    try:
        print(param.read_param_file(localfs, "params.yaml", names, flatten=True))
    except ValueError as error:
        print(error)
"""


def test_values_that_a_stage_depends_on_are_those_that_dvc_finds(project):
    """Patterns, places in lists, numbers as names and names that are not there among them; two values for one are an error."""
    (project / "params.yaml").write_text(PARAMS)
    found = []
    for opened in ("repository._repository(localfs.getcwd())", ""):
        program = READ.format(opened=opened, names=NAMES)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
        found.append(done.stdout.splitlines())
    assert found[0] == found[1]
    assert found[0][:2] == ["{'seed': 14}", "{'train.a': {'rate': 1e-05, 'sizes': [3, 4]}, 'seed': 14, 'train.b.rate': 0.5}"]
    assert len(found[0]) == len(NAMES)


@pytest.mark.parametrize("of_all", [True, False])
def test_what_a_reader_changes_is_its_own(project, of_all):
    from dvc.dependency import param
    from dvc.fs import localfs
    from dvc.utils.serialize import load_path

    (project / "params.yaml").write_text(PARAMS)
    with repository.opened():
        for _ in range(2):
            whole = load_path("params.yaml", localfs)
            values = whole if of_all else param.read_param_file(localfs, "params.yaml", ["train"], flatten=True)
            assert values["train"].pop("b") == {"rate": 0.5, "sizes": []}


ENTRY_OF_DVC = {
    "cmd": "python -m stages.train a " + "and-a-long-word " * 12,
    "deps": [{"path": "data/a", "hash": "md5", "md5": "0123", "size": 5, "nfiles": 2}],
    "params": {
        "params.yaml": {
            "train.a": {"rate": 1e-05, "name": "on", "text": "a: b # c", "none": None, "sizes": [3, [4, 5]], "of": {}}
        }
    },
    "outs": [{"path": "models/ä.keras", "md5": "9" * 32, "size": 184380625}],
}
LOCKS = {
    "the project's": (ROOT / "dvc.lock").read_text(),
    "the photographs'": (ROOT / "photos/dvc.lock").read_text(),
    "a small one": text("report", "train@a"),
}
OTHERWISE = {
    "one with a comment": text("report", "train@a") + "  # by hand\n",
    "one with a name in quotes": text("report", "train@a").replace("  report:", "  'report':"),
    "one with data sets": text("report", "train@a") + "datasets: []\n",
    "one without stages": "schema: '2.0'\nstages: {}\n",
}
CHANGES = {
    "an entry changes": lambda stages: stages.update(report=copy.deepcopy(ENTRY_OF_DVC)),
    "an entry comes": lambda stages: stages.update({"train@new": copy.deepcopy(ENTRY_OF_DVC)}),
    "all are written again": lambda stages: stages.update({name: plain(entry) for name, entry in stages.items()}),
}


def plain(value):
    """A copy without what ruamel notes of places and comments."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("lock", "change"), [
    ("the project's", "all are written again"), ("the photographs'", "an entry comes"),
    *(("a small one", change) for change in CHANGES), *((lock, "an entry changes") for lock in OTHERWISE),
])  # fmt: skip
def test_an_entry_is_written_to_the_byte_as_dvc_writes_it(tmp_path, lock, change):
    from dvc.utils.serialize import modify_yaml

    written = []
    for modify in (modify_yaml, repository._splicing(modify_yaml)):
        LOCK.write_text((LOCKS | OTHERWISE)[lock])
        with modify(str(tmp_path / "dvc.lock")) as content:
            CHANGES[change](content["stages"])
        written.append(LOCK.read_text())
    assert written[0] == written[1]


def test_a_lock_file_that_is_not_there_is_made(tmp_path):
    from dvc.utils.serialize import modify_yaml

    with repository._splicing(modify_yaml)(str(tmp_path / "dvc.lock")) as content:
        assert content == {}
        content.update({"schema": "2.0", "stages": {"report": {"cmd": "run report"}}})
    assert LOCK.read_text() == "schema: '2.0'\nstages:\n  report:\n    cmd: run report\n"


def test_a_lock_file_stays_as_it_was_when_an_entry_cannot_be_written(tmp_path):
    """DVC itself would have emptied it by then."""
    from dvc.utils.serialize import modify_yaml

    LOCK.write_text(text("report", "train@a"))
    with pytest.raises(RepresenterError), repository._splicing(modify_yaml)(str(tmp_path / "dvc.lock")) as content:
        content["stages"]["report"] = {"cmd": object()}
    assert LOCK.read_text() == text("report", "train@a")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["dvc.lock"]


def test_a_lock_file_stays_as_it_was_when_the_disk_is_full(tmp_path, monkeypatch):
    from dvc.utils.serialize import modify_yaml

    LOCK.write_text(text("report", "train@a"))
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"), repository._splicing(modify_yaml)(str(tmp_path / "dvc.lock")) as content:
        content["stages"]["report"] = {"cmd": "another"}
    assert LOCK.read_text() == text("report", "train@a")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["dvc.lock"]


def full(path, content):
    """Path.write_text on a disk with room for some of it."""
    path.write_bytes(content.encode()[:20])
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_run_ends_with_the_lock_file_as_dvc_writes_it():
    """Also the entries of stages that have not run, which DVC writes with each other."""
    LOCK.write_text(text("report", "train@a").replace("md5: '0123'", 'md5: "0123"'))
    repository.note_order(ORDER)
    repository.put_in_order(ORDER)
    assert LOCK.read_text() == text("report", "train@a")


def test_metrics_are_shown_as_dvc_shows_them(project, capfd):
    figures = {"a.json": {"accuracy": 0.123456789, "loss": 2}, "sub/b.json": {"accuracy": 1e-9, "nested": {"n": 3}}}
    for name, values in figures.items():
        path = project / "metrics" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    repository.show_metrics(Path("metrics"))
    shown = capfd.readouterr().out
    done = subprocess.run([sys.executable, "-m", "dvc", "metrics", "show", "metrics"], capture_output=True, text=True, check=True)
    assert shown == done.stdout
    assert "0.12346" in shown
