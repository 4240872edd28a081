from pathlib import Path

import pytest

from relearn.data import places


@pytest.fixture
def project(tmp_path):
    """A project's top with the folder of a second pipeline."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "photos").mkdir()
    return tmp_path


def test_backbones_and_downloads_lie_at_the_top_and_a_pipelines_own_networks_in_its_folder(project, monkeypatch):
    whole = {"backbones/lite0": "models/backbones/lite0.keras", "multiclass": "models/multiclass.keras"}
    monkeypatch.chdir(project)
    assert {name: str(places.model(name)) for name in whole} == whole
    assert places.downloads() == Path(".cache/downloads")
    monkeypatch.chdir(project / "photos")
    assert places.model("backbones/lite0") == Path("../models/backbones/lite0.keras")
    assert places.model("flowers17_head") == Path("models/flowers17_head.keras")
    assert places.downloads() == Path("../.cache/downloads")


def test_a_folder_that_is_in_no_project_is_a_top_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert places.downloads() == Path(".cache/downloads")


def test_a_project_in_a_folder_of_another_one_is_a_top(project, monkeypatch):
    (project / "photos/.dvc").mkdir()
    monkeypatch.chdir(project / "photos")
    assert places.downloads() == Path(".cache/downloads")
