"""Photographs of one's own, through the second pipeline, as a user would run it; and another backbone."""

import json
import subprocess
import sys

import numpy as np
import pytest
import yaml

from tests.conftest import ROOT
from tests.pipeline.conftest import Clone
from tests.pipeline.test_repro import ran
from tests.support import samples


@pytest.fixture(scope="session")
def own(tmp_path_factory, datasets):
    """A clone in which a folder of 27 photographs, a text file and a copy went through photos/ at scale smoke."""
    pictures = tmp_path_factory.mktemp("pictures")
    samples.folder(pictures)
    (pictures / "red" / "broken.jpg").write_text("no picture")
    (pictures / "blue" / "again.jpg").write_bytes((pictures / "blue" / "blue_3.jpg").read_bytes())
    clone = Clone(tmp_path_factory.mktemp("own"), datasets)
    path = clone.folder / "photos/params.yaml"
    raw = yaml.safe_load(path.read_text())
    samples.prune(raw, str(pictures), {"my_photos": "frozen"})
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    clone.first = clone.run("dvc", "repro", inside="photos")
    clone.commit("my photographs")
    return clone


def test_one_block_runs_every_stage_and_the_report_tells_what_was_read(own):
    assert len(ran(own.first.stdout)) == 10
    found = json.loads((own.folder / "photos/metrics/gather/my_photos.json").read_text())
    assert (found["train_images"], found["test_images"], found["classes"]) == (18, 9, 3)
    assert (found["unreadable"], found["identical"]) == (1, 1)
    page = (own.folder / "photos/reports/smoke/index.html").read_text()
    for expected in ("unreadable 1", "identical 1", "linear probe", "efficientnet_lite0"):
        assert expected in page
    for model in ("my_photos_head", "my_photos_tuned"):
        scored = json.loads((own.folder / f"photos/metrics/evaluate/{model}.json").read_text())
        assert scored["images"] == 9
        assert set(samples.COLOURS) <= {name.removeprefix("accuracy_") for name in scored}


def test_a_second_run_of_the_photographs_does_nothing_and_the_first_pipeline_knows_nothing_of_it(own):
    assert ran(own.run("dvc", "repro", inside="photos").stdout) == []
    assert "photos" not in own.run("dvc", "stage", "list", "--all", "--name-only").stdout
    assert own.run("dvc", "metrics", "diff", inside="photos").stdout.strip() == ""


def test_photographs_read_and_trained_again_give_the_same_bytes(own):
    before = (own.folder / "photos/dvc.lock").read_bytes()
    assert ran(own.run("dvc", "repro", "-f", "-s", "gather@my_photos", "tuned@my_photos", inside="photos").stdout)
    assert (own.folder / "photos/dvc.lock").read_bytes() == before


def test_logs_for_tensorboard_are_written_and_are_no_output(own):
    assert list((own.folder / "photos/logs/my_photos_head").glob("events.out.tfevents.*"))
    assert own.run("git", "status", "--porcelain").stdout == ""
    assert "logs" not in (own.folder / "photos/dvc.lock").read_text()


def test_ones_own_photographs_are_named_by_ones_own_network(own, tmp_path):
    samples.photograph(tmp_path / "new.jpg", samples.COLOURS["green"], 999)
    (tmp_path / "broken.jpg").write_text("no picture")
    done = subprocess.run(
        [sys.executable, "-m", "stages.predict", "my_photos_head", str(tmp_path / "new.jpg"), str(tmp_path / "broken.jpg")],
        cwd=own.folder / "photos", env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "broken.jpg" in done.stderr
    assert f"{tmp_path / 'new.jpg'}  1  " in done.stdout
    assert sum(line.endswith(("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")) for line in done.stdout.splitlines()) == 3


def test_another_photograph_in_the_folder_is_noticed(own):
    raw = yaml.safe_load((own.folder / "photos/params.yaml").read_text())
    red = own.folder.parent / raw["datasets"]["my_photos"]["folder"] / "red"
    samples.photograph(red / "red_new.jpg", samples.COLOURS["red"], 555)
    assert own.run("dvc", "status", "-q", inside="photos", check=False).returncode == 1


def test_with_the_books_backbone_the_head_has_the_books_parameters(fresh):
    """ResNet50's own weights cannot be had everywhere: random ones have the same shapes."""
    path = fresh.folder / "params.yaml"
    raw = yaml.safe_load(path.read_text())
    raw["backbones"]["lite0"] = {"architecture": "resnet50", "weights": "random"}
    raw["embed"]["first_2000"] |= {"side": 224, "train_images": 20, "test_images": 10}
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    fresh.run("dvc", "repro", "train@head_rmsprop")
    features = np.load(fresh.folder / "data/embeddings/first_2000/train_features.npy", mmap_mode="r")
    assert features.shape == (20, 7, 7, 2048)
    assert features.dtype == np.float16
    found = json.loads((fresh.folder / "metrics/train/head_rmsprop.json").read_text())
    assert found["parameters"] == 25_692_938
