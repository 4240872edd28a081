"""`make check` looks at both pipelines, and tells all mistakes at once."""

import shutil
import subprocess

import pytest
from dulwich.ignore import IgnoreFilterManager
from dulwich.repo import Repo

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


def test_photographs_inside_the_project_are_told_with_the_cure(project, tmp_path, capsys):
    project("photos/params.yaml", "folder: data/archives/cats_vs_dogs", "folder: pets")
    (tmp_path / "photos/pets/cat").mkdir(parents=True)
    check.main()
    assert "photos: datasets.cats_vs_dogs.folder: 'pets': lies inside the project" in (told := capsys.readouterr().err)
    assert "`dvc add photos/pets` at the project's top, or put it outside" in told
    assert len(told.splitlines()) == 1
    (tmp_path / "photos/pets.dvc").touch()
    check.main()
    assert capsys.readouterr().err == ""


def test_links_at_which_dvc_would_end_or_look_away_are_told(project, tmp_path, tmp_path_factory, capsys):
    pets = tmp_path_factory.mktemp("elsewhere") / "pets"
    project("photos/params.yaml", "folder: data/archives/cats_vs_dogs", f"folder: {pets}")
    (pets / "cat").mkdir(parents=True)
    (pets / "cat/lost.jpg").symlink_to("nowhere")
    check.main()
    assert f"{pets}/cat/lost.jpg: is a link to nothing: remove it" in capsys.readouterr().err


def test_git_takes_no_photographs_that_lie_beside_the_pipeline(tmp_path):
    shutil.copy2(ROOT / ".gitignore", tmp_path)
    kept = ["photos/params.yaml", "photos/pets.dvc", "photos/metrics/gather/mine.json", "photos/plots/roc/mine.csv",
            "photos/reports/quick/results.json", "photos/models/.gitignore"]  # fmt: skip
    for name in [*kept, "photos/pets/cat/1.jpg", "photos/my pets/1.png", "photos/pets.zip", "photos/pets.tar.gz"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    told = subprocess.run(
        ["git", "ls-files", "-oz", "--exclude-standard"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert set(told.stdout.split("\0")) == {".gitignore", "", *kept}
    seen_by_dvc = IgnoreFilterManager.from_repo(Repo(tmp_path))  # which looks for no dvc.yaml in folders that git ignores
    assert not any(
        seen_by_dvc.is_ignored(f"photos/{folder}") for folder in ("", "data/", "metrics/", "models/", "plots/", "reports/")
    )
