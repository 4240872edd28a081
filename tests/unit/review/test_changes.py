"""A commit that cannot be compared with is told in one line with the cure, as is a repository that Git does not read."""

import subprocess
from pathlib import PurePosixPath

import pytest

from relearn.review import changes


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of two commits, in which the test runs."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.chdir(tmp_path)
    own = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-q", "--allow-empty", "-m"]
    for command in (["git", "init", "-q"], [*own, "first"], [*own, "second"]):
        subprocess.run(command, check=True)
    return tmp_path


def refused(revision):
    with pytest.raises(changes.ReviewError) as error:
        changes.commit(revision)
    return str(error.value)


def test_a_commit_is_found_by_its_name(repository):
    head = subprocess.run(["git", "log", "-1", "--format=%H", "HEAD~1"], capture_output=True, text=True, check=True).stdout
    assert changes.commit("HEAD~1") == head.strip()


def test_an_unknown_commit_is_told(repository):
    assert refused("nope") == "'nope' is no branch, tag or commit of this repository: git fetch it, or name another"


def test_a_shallow_clone_is_named(repository, tmp_path, monkeypatch):
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{repository}", "shallow"], check=True)
    monkeypatch.chdir(tmp_path / "shallow")
    assert refused("HEAD~1").endswith(": git fetch it (--unshallow: this clone is shallow), or name another")


def test_a_folder_of_another_user_is_named_with_gits_cure_in_one_line(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # Git's own way to test it
    told = refused("HEAD")
    assert "\n" not in told
    assert "dubious ownership" in told
    assert f"git config --global --add safe.directory {repository}" in told


def test_a_setting_that_git_is_too_old_for_is_named(repository):
    """A worktree with relative paths, as newer versions of Git make them."""
    subprocess.run(["git", "config", "core.repositoryFormatVersion", "1"], check=True)
    subprocess.run(["git", "config", "extensions.madeUp", "true"], check=True)
    assert "madeup" in refused("HEAD")


@pytest.mark.parametrize("folder", ["train", "transfer"])
def test_training_images_are_no_test_images(folder):
    snapshot = changes.Snapshot(records={PurePosixPath(f"metrics/{folder}/x.json"): {"images": 240}})
    assert changes.side_of("x", {"accuracy": 0.5}, snapshot).images is None
