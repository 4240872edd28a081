"""Photographs of one's own, through the second pipeline, as a user would run it; and another backbone."""

import json

import numpy as np
import yaml

from tests.pipeline.test_repro import began, ran
from tests.support import samples

LOCKS = ("dvc.lock", "photos/dvc.lock")


def test_one_block_runs_every_stage_and_the_report_tells_what_was_read(smoke):
    stages = smoke.run("dvc", "stage", "list", "--name-only", "photos/dvc.yaml").stdout.split()
    assert len(stages) == 9
    assert sorted(began(smoke.first("photos/dvc.yaml").read_text())) == sorted(stages)
    metrics = json.loads((smoke.folder / "photos/metrics/gather/my_photos.json").read_text())
    assert (metrics["train_images"], metrics["test_images"], metrics["classes"]) == (18, 9, 3)
    assert (metrics["unreadable"], metrics["identical"]) == (1, 1)
    page = (smoke.folder / "photos/reports/smoke/index.html").read_text()
    for expected in ("unreadable 1", "identical 1", "linear probe", "efficientnet_lite0"):
        assert expected in page
    for model in ("my_photos_head", "my_photos_tuned"):
        scored = json.loads((smoke.folder / f"photos/metrics/evaluate/{model}.json").read_text())
        assert scored["images"] == 9
        assert set(samples.COLOURS) <= {name.removeprefix("accuracy_") for name in scored}


def test_a_second_run_of_the_photographs_does_nothing(smoke):
    assert ran(smoke.run("dvc", "repro", inside="photos").stdout) == []
    assert smoke.run("dvc", "status", inside="photos").stdout == "Data and pipelines are up to date.\n"
    assert smoke.run("dvc", "metrics", "diff", inside="photos").stdout.strip() == ""


def test_the_photographs_use_the_projects_backbone_cache_and_downloads(smoke):
    assert (smoke.folder / "models/backbones/lite0.keras").is_file()
    assert not [name for name in (".dvc", ".cache", "models/backbones") if (smoke.folder / "photos" / name).exists()]


def test_photographs_read_and_trained_again_give_the_same_bytes(smoke):
    before = [(smoke.folder / lock).read_bytes() for lock in LOCKS]
    assert ran(smoke.run("dvc", "repro", "-f", "-s", "gather@my_photos", "tuned@my_photos", inside="photos").stdout)
    assert [(smoke.folder / lock).read_bytes() for lock in LOCKS] == before


def test_logs_for_tensorboard_are_written_and_are_no_output(smoke):
    assert list((smoke.folder / "photos/logs/my_photos_head").glob("events.out.tfevents.*"))
    assert smoke.run("git", "status", "--porcelain").stdout == ""
    assert "logs" not in (smoke.folder / "photos/dvc.lock").read_text()


def test_ones_own_photographs_are_classified_by_ones_own_network(smoke, tmp_path):
    samples.photograph(tmp_path / "new.jpg", samples.COLOURS["green"], 999)
    (tmp_path / "broken.jpg").write_text("no picture")
    pictures = [str(tmp_path / name) for name in ("new.jpg", "broken.jpg")]
    done = smoke.run("python", "-m", "tools.predict", "my_photos_head", *pictures, inside="photos", check=False)
    assert done.returncode == 1
    assert "broken.jpg" in done.stderr
    assert f"{tmp_path / 'new.jpg'}  1  " in done.stdout
    assert sum(line.endswith(("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")) for line in done.stdout.splitlines()) == 3


def test_another_photograph_in_the_folder_is_noticed(smoke):
    samples.photograph(new := smoke.folder.parent / "pictures/red/red_new.jpg", samples.COLOURS["red"], 555)
    status = smoke.run("dvc", "status", "gather@my_photos", inside="photos").stdout
    new.unlink()
    assert f"modified:           {new.parents[1]}\n" in status


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
    metrics = json.loads((fresh.folder / "metrics/train/head_rmsprop.json").read_text())
    assert metrics["parameters"] == 25_692_938
