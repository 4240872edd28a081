from fnmatch import fnmatch

import pytest

from relearn.process import atomic
from tests.conftest import ROOT


def test_a_file_is_replaced_only_when_it_is_whole(tmp_path):
    path = tmp_path / "models/a.keras"
    path.parent.mkdir()
    path.write_text("old")
    with atomic.replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert (partial.parent, partial.suffix) == (path.parent, ".keras")
        assert f".{atomic.MARK}" in partial.name
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
@pytest.mark.parametrize("begun", [True, False])
def test_a_block_that_fails_leaves_the_old_file_and_no_part_of_a_new_one(tmp_path, error, begun):
    path = tmp_path / "a.npy"
    path.write_text("old")

    def failing(partial):
        if begun:
            partial.write_text("half")
        raise error

    with pytest.raises(error), atomic.replacing(path) as partial:
        failing(partial)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_folder_is_made_and_a_block_that_fails_makes_no_file(tmp_path):
    path = tmp_path / "plots/a/b.csv"
    with pytest.raises(ValueError, match="no"), atomic.replacing(path):
        raise ValueError("no")
    assert not path.exists()
    with atomic.replacing(path) as partial:
        partial.write_text("x,y")
    assert path.read_text() == "x,y"


def test_two_processes_write_to_files_of_their_own(tmp_path, monkeypatch):
    names = []
    for process in (1, 2):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        with atomic.replacing(tmp_path / "a.npz") as partial:
            names.append(partial.name)
            partial.touch()
    assert len(set(names)) == 2


@pytest.mark.parametrize("file", [".gitignore", ".dvcignore"])
def test_what_is_not_whole_is_in_neither_git_nor_dvc(tmp_path, file):
    patterns = [line for line in (ROOT / file).read_text().splitlines() if line.startswith("*")]
    for name in ("a.keras", "train@a.json", "dvc.lock", "b"):
        with atomic.replacing(tmp_path / name) as partial:
            partial.touch()
            assert any(fnmatch(partial.name, pattern) for pattern in patterns)


def test_tables_take_the_place_between_two_markers(tmp_path):
    path, markers = tmp_path / "a.md", ("<!-- a -->\n", "<!-- /a -->\n")
    path.write_text("before\n<!-- a -->\nold\n<!-- /a -->\nafter\n")
    assert atomic.replaced(path, markers, "new\n") == "before\n<!-- a -->\nnew\n<!-- /a -->\nafter\n"
    path.write_text("before\n<!-- a -->\n")
    with pytest.raises(ValueError, match=r"a\.md needs the lines <!-- a --> and <!-- /a -->"):
        atomic.replaced(path, markers, "new\n")
