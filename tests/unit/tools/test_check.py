"""`make check` looks at both pipelines, and tells all mistakes at once."""

import shutil

import pytest

from relearn.params.base import ParamsError
from tests.conftest import ROOT
from tools import check


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's top with the five files that are checked; gives what replaces text in one of them."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "photos").mkdir()
    for name in ("params.yaml", "printed.yaml", "photos/params.yaml", "photos/printed.yaml", "claims.yaml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)

    def replace(name: str, old: str, new: str) -> None:
        text = (tmp_path / name).read_text()
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new, 1))

    return replace


@pytest.mark.parametrize("started", [".", "photos"])
def test_both_files_are_described_though_no_photograph_is_here(project, monkeypatch, capsys, started):
    monkeypatch.chdir(started)
    check.main()
    output = capsys.readouterr()
    first, photos = output.out.splitlines()
    assert first.startswith("params.yaml is valid: scale quick, seed 14; ")
    assert photos.startswith("photos/params.yaml is valid: scale quick, seed 14; 6 transfer, 3 classify; ")
    assert output.err == ""


def test_mistakes_in_both_files_are_told_at_once(project):
    project("params.yaml", "jobs: auto", "jobs: many")
    project("photos/params.yaml", "fit: stretch", "fit: stretc")
    project("claims.yaml", "says: above", "says: over")
    with pytest.raises(ParamsError) as error:
        check.main()
    assert str(error.value).splitlines() == [
        "compute.jobs: 'many' is neither auto nor a whole number from 1",  # once, though both use it
        "photos: datasets.cats_vs_dogs.fit: 'stretc' is none of crop, stretch",
        "claims.yaml: claims.deep_above_shallow_adadelta.says: 'over' is none of above, below, within",
    ]


def test_a_folder_of_photographs_that_is_elsewhere_is_told_and_is_no_mistake(project, capsys):
    project("photos/params.yaml", "folder: data/archives/cats_vs_dogs", "folder: ~/cats_vs_dogs")
    check.main()
    output = capsys.readouterr()
    assert "photos: datasets.cats_vs_dogs.folder: '~/cats_vs_dogs': no such folder or archive here" in output.err
    assert len(output.out.splitlines()) == 2


def test_numbers_of_an_experiment_that_was_taken_out_are_told(project, capsys):
    project("printed.yaml", "metric: evaluate/", "metric: evaluate/no_")
    check.main()
    assert "printed.yaml: 1 numbers have no experiment in params.yaml, and are left out\n" in capsys.readouterr().out


def test_claims_of_an_experiment_that_was_taken_out_are_told(project, capsys):
    project("claims.yaml", "first: evaluate/deep_adadelta", "first: evaluate/no_deep_adadelta")
    check.main()
    assert "claims.yaml: 1 claims have no experiment in params.yaml, and stay as they are\n" in capsys.readouterr().out
