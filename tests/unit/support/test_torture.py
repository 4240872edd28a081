"""What `make torture` compares, and the pipelines that it runs; the runs themselves are in tests/pipeline."""

import re
from functools import partial

import pytest

from relearn import checks
from tests.conftest import ROOT
from tests.support import clones, samples, torture
from tests.support.torture import Broken, Kill

DIGEST = "0cc175b9c0f1b6a831c399e269772661"  # MD5 of "a"
ADDRESS = "http://127.0.0.1:1"
RESULTS = {
    "dvc.lock": "stages: {a: {cmd: b}}\n", "metrics/train/a.json": "{}\n", "plots/history/a.csv": "loss\n",
    "photos/dvc.lock": "stages: {c: {cmd: d}}\n", "photos/metrics/transfer/c.json": "{}\n",
    f".dvc/cache/files/md5/{DIGEST[:2]}/{DIGEST[2:]}": "a",
}  # fmt: skip


@pytest.fixture
def twins(tmp_path, monkeypatch):
    """Two folders with the same results, in which DVC finds nothing to do."""
    for name in ("undisturbed", "killed"):
        for path, text in RESULTS.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
    tool = tmp_path / "bin" / "dvc"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    monkeypatch.setattr(clones, "environment", lambda: {"PATH": f"{tool.parent}:/usr/bin:/bin"})
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    return tmp_path / "undisturbed", tmp_path / "killed"


def test_equal_results_are_equal(twins):
    torture.compare(*twins)


@pytest.mark.parametrize("path", RESULTS)
def test_a_changed_result_is_noticed(twins, path):
    text = (twins[1] / path).read_text()
    (twins[1] / path).write_text(text.replace("cmd: ", "cmd: other ") if path.endswith("lock") else f"{text} ")
    with pytest.raises(Broken, match=r"differ|does not hold"):
        torture.compare(*twins)


def test_what_a_kill_leaves_of_a_copy_into_the_cache_is_no_object(twins):
    (twins[1] / f".dvc/cache/files/md5/{DIGEST[:2]}/.AbC_-9.tmp").write_text("half of a")
    torture.compare(*twins)


def test_a_result_that_is_not_there_is_noticed(twins):
    (twins[1] / "metrics/train/a.json").unlink()
    with pytest.raises(Broken, match=r"metrics/train/a\.json differs"):
        torture.compare(*twins)


def test_the_small_pipelines_are_allowed_and_take_every_download_from_the_address(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("params.yaml", "photos/params.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    clones.rewrite(tmp_path / "params.yaml", partial(torture.small, address=ADDRESS, jobs=1))
    files = {"made_up.tar": "0" * 64}
    clones.rewrite(tmp_path / "photos/params.yaml", partial(torture.small_photos, files=files, address=ADDRESS))
    for name in ("params.yaml", "photos/params.yaml"):
        params = checks.load(tmp_path / name)
        assert (params.scale, params.compute.jobs) == ("smoke", 1)
        places = re.findall(r"^ *(?:- )?(url|npm|pip): (\S+)", (tmp_path / name).read_text(), re.MULTILINE)
        assert set(places) == {("url", ADDRESS)}


@pytest.mark.parametrize(("photos", "pipeline"), [(False, "dvc.yaml"), (True, "photos/dvc.yaml")])
def test_an_archive_of_the_user_is_never_written(tmp_path, photos, pipeline):
    mine = tmp_path / "made_up.tar"
    mine.write_text("mine")
    with torture.reduced(tmp_path, photos) as small:
        assert small.pipeline == pipeline
        assert (small.temporary / "offered/made_up.tar").stat().st_size > 10_000
    assert mine.read_text() == "mine"


def test_made_up_photographs_are_the_same_pixels_every_time(tmp_path):
    first, second = (samples.folder(tmp_path / name) for name in "ab")
    names = sorted(path.relative_to(first) for path in first.rglob("*.jpg"))
    assert len(names) == samples.EACH * len(samples.COLOURS)
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_the_table_counts_what_was_mended():
    kills = [
        Kill(1.0, "a", "writing x", "dvc.lock: was cut off; put back as it was before the last stage"),
        Kill(2.0, "b", "c | d", "dvc.lock: was cut off; removed, since no stage has kept a copy"),
        Kill(3.0, "c", "e", ".dvc/tmp/rwlock: was cut off; removed"),
    ]
    text = torture.table(kills, 1)
    assert "dvc.lock back 1 times and removed it, for want of a copy, 1 times; it removed 1 cut lists" in text
    assert "0 empty entries" in text
    assert "c \\| d" in text
