"""`make verify`: stages run again in a clone give the committed bytes, or it says which do not."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.support import clones
from tools import verify

LOCK = {
    "train@a": {"outs": [{"path": "models/a.keras", "md5": "1"}, {"path": "metrics/train/a.json", "md5": "2"}]},
    "train@b": {"outs": [{"path": "models/b.keras", "md5": "3"}]},
}


def run(datasets, *arguments):
    command = [sys.executable, "-m", "tools.verify", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clones.environment(DATASETS_DIR=str(datasets)), capture_output=True, text=True)


def test_the_committed_bytes_come_out_again(datasets):
    done = run(datasets, "relabel@mnist_in_order")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("2 of 2 outputs of 1 stages and what they need are identical\n")


def test_other_bytes_are_named(datasets):
    done = run(datasets, "relabel@mnist_in_order", "--set", "relabel.mnist_in_order.train_images=7000")
    assert done.returncode == 1
    assert "differs: data/views/mnist_in_order\n" in done.stdout
    assert "1 of 2 outputs" in done.stdout


def test_a_stage_that_there_is_not_is_an_error():
    done = run("", "train@nope")
    assert done.returncode == 1
    assert done.stderr.startswith("error: train@nope: not in dvc.lock")


def test_outputs_are_compared_one_by_one():
    made = {"train@a": {"outs": [{"path": "models/a.keras", "md5": "1"}, {"path": "metrics/train/a.json", "md5": "9"}]}}
    assert verify.compare(LOCK, made) == (1, ["metrics/train/a.json"])
    assert verify.compare(LOCK, LOCK) == (3, [])
    assert verify.compare({}, {"train@b": LOCK["train@b"]}) == (0, ["models/b.keras"])


def test_a_parameter_is_set_by_its_path_and_an_unknown_one_is_an_error():
    settings = {"compute": {"threads": "auto"}, "seed": 14}
    verify.change(settings, ["compute.threads=1", "seed=15"])
    assert settings == {"compute": {"threads": 1}, "seed": 15}
    with pytest.raises(SystemExit, match=r"params.yaml has no compute.thread$"):
        verify.change(settings, ["compute.thread=1"])
