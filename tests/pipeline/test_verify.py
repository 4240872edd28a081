"""`make verify`: stages run again in a clone give the committed bytes, or it says which do not."""

import subprocess
import sys

from tests.conftest import ROOT
from tests.support import clones


def run(datasets, *arguments):
    command = [sys.executable, "-m", "tools.verify", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clones.environment(DATASETS_DIR=str(datasets)), capture_output=True, text=True)


def test_the_committed_bytes_come_out_again(datasets):
    done = run(datasets, "relabel@mnist_in_order")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("2 of 2 outputs are identical\n")


def test_other_bytes_are_named(datasets):
    done = run(datasets, "relabel@mnist_in_order", "--set", "relabel.mnist_in_order.train_images=7000")
    assert done.returncode == 1
    assert "differs: data/views/mnist_in_order\n" in done.stdout
    assert done.stdout.endswith("1 of 2 outputs are identical\n")


def test_a_stage_that_there_is_not_is_an_error():
    done = run("", "train@nope")
    assert done.returncode == 1
    assert done.stderr.startswith("error: train@nope: not in dvc.lock")
