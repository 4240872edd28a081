"""Fan-outs on a Dask cluster of two workers, in folders of their own: the same bytes as on one machine, whatever dies."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from ruamel.yaml import YAML

from relearn.data import arrays
from relearn.params.base import Compute
from relearn.training import compute
from tests.conftest import ROOT
from tests.support import clusters, torture

IMAGES = 2_300  # more than one shard of an embedding
EPOCHS = 6
PATIENCE = 60  # seconds in which what should happen has to
HERE = """
from pathlib import Path
from stages import embed, learning_curve
learning_curve.main("lenet")
from relearn.networks import keras_file, nets
keras_file.save(nets.build("C8 P2 D.2 flatten F12", (28, 28, 1), 10, 1), Path("models/lenet.keras"))
embed.main("mnist")
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with clusters.started(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def spec(cluster, tmp_path, monkeypatch):
    """What asks for that cluster, in a folder that its workers see."""
    monkeypatch.chdir(tmp_path)
    return Compute(precision="auto", threads="auto", jobs="auto", backend="dask", scheduler=cluster.address)


def project(folder: Path, address: str = "") -> Path:
    """A folder with made-up digits and what is needed to learn from them, here or on a cluster."""
    settings = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    torture.small(settings)
    settings["nets"]["lenet"] = "C8 P2 D.2 flatten F12"
    settings["embed"]["mnist"] |= {"model": "lenet", "layer": "dense_0", "train_images": IMAGES, "test_images": 50}
    settings["protocols"]["T2"] |= {"counts": [30, 20], "repeats": 1, "epochs": EPOCHS}
    settings["compute"] |= {"threads": 1, "jobs": 1} | ({"backend": "dask", "scheduler": address} if address else {})
    folder.mkdir()
    with (folder / "params.yaml").open("w") as stream:
        YAML().dump(settings, stream)
    drawn = np.random.default_rng(3)
    for split, count in (("train", IMAGES), ("test", 200)):
        labels = drawn.integers(0, 10, count, "uint8")
        images = drawn.integers(0, 128, (count, 28, 28, 1), "uint8") + 10 * labels[:, None, None, None]
        arrays.write(folder / "data/mnist", **{f"{split}_images": images, f"{split}_labels": labels})
        arrays.write(folder / "data/views/mnist_in_order", **{f"{split}_index": np.arange(count), f"{split}_labels": labels})
    for data in ("mnist", "views/mnist_in_order"):
        arrays.write_classes(folder / "data" / data, [str(digit) for digit in range(10)])
    (folder / "data/views/mnist_in_order/view.json").write_text('{"images": "mnist", "crop": null}')
    return folder


def begun(folder: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Python with the project's code in this folder."""
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([sys.executable, *options], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
                                stdout=log, stderr=subprocess.STDOUT)  # fmt: skip


def done(process: "subprocess.Popen[bytes]", folder: Path) -> str:
    output = process.wait(4 * PATIENCE), (folder / "log").read_text()
    assert output[0] == 0, output[1]
    return output[1]


def wait_for(condition) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def jobs_in(folder: Path, cluster) -> list[psutil.Process]:
    """The processes that do jobs of this project folder, on all workers."""
    jobs = []
    for worker in cluster.workers.values():
        for process in psutil.Process(worker.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                jobs += [process] if process.cwd() == str(folder) and "cluster.work" in " ".join(process.cmdline()) else []
    return jobs


def results(folder: Path) -> dict[str, bytes]:
    paths = [path for name in ("metrics", "plots", "data/embeddings") for path in (folder / name).rglob("*.*")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """What comes out without a cluster."""
    folder = project(tmp_path_factory.mktemp("here") / "project")
    done(begun(folder, "-c", HERE), folder)
    return folder


@pytest.fixture(scope="module")
def there(cluster, here):
    """What comes out on a cluster of which a worker is killed in the middle of a training."""
    folder = project(here.parent / "shared", cluster.address)
    stage = begun(folder, "-m", "stages.learning_curve", "lenet")
    wait_for(lambda: list(folder.glob(".state/learning_curve-lenet-30-0-*/epoch.npz")) or stage.poll() is not None)
    [job] = [process for process in jobs_in(folder, cluster) if "lenet, 30 images" in log_of(cluster, process)]
    worker = job.parent()
    assert worker is not None
    worker.kill()
    assert psutil.wait_procs([job], timeout=PATIENCE)[1] == [], "a job ends with its worker"
    done(stage, folder)
    shutil.copytree(here / "models", folder / "models")
    done(begun(folder, "-m", "stages.embed", "mnist"), folder)
    return folder


def log_of(cluster, job: psutil.Process) -> str:
    [log] = [cluster.logs[name] for name, worker in cluster.workers.items() if psutil.Process(worker.pid) in job.parents()]
    return log.read_text()


def test_a_cluster_gives_the_bytes_of_one_machine_even_when_a_worker_is_killed(here, there):
    assert set(results(here)) >= {"metrics/learning_curve/lenet.json", "data/embeddings/mnist/train_features.npy"}
    assert results(there) == results(here)


def test_a_training_whose_worker_was_killed_resumes_elsewhere(cluster, there):
    logs = "".join(log.read_text() for log in cluster.logs.values())
    assert "lenet, 30 images, repeat 1: resumed after epoch" in logs
    assert len(re.findall("lenet, 30 images, repeat 1: epoch 1/", logs)) == 1


def test_shared_storage_holds_nothing_of_a_stage_that_is_done(there):
    assert [path for path in (there / ".state").rglob("*") if path.is_file() and path.parent.name != "smoke"] == []


def test_the_error_of_a_job_is_the_error_of_the_stage_and_says_where(spec):
    with pytest.raises(ZeroDivisionError) as raised:
        compute.fan_out(spec, divmod, [(7, 2), (1, 0)], "jobs")
    assert f"on {platform.node()}:" in "".join(raised.value.__notes__)


def test_results_come_in_the_jobs_order_and_other_machines_are_named(spec, monkeypatch, capsys):
    monkeypatch.setattr(compute, "cpu_name", lambda: "Abacus 7")
    assert compute.fan_out(spec, divmod, [(7, 2), (9, 4), (5, 5)], "jobs") == [(3, 1), (2, 1), (1, 0)]
    monkeypatch.undo()
    told = capsys.readouterr().err
    assert told.count("warning") == 1
    assert f"cpu of {platform.node()} is {compute.cpu_name()}, here it is Abacus 7" in told


def test_a_job_that_kills_every_process_ends_the_stage(spec):
    with pytest.raises(OSError, match="died 3 times"):
        compute.fan_out(spec, os._exit, [(1,)], "jobs")


def test_a_worker_that_does_not_see_the_folder_is_named_with_it(spec):
    with pytest.raises(OSError, match=r"worker tcp://127\.0\.0\.1:\d+ .* does not see /nowhere of the stage: share"):
        compute.fan_out(spec.model_copy(update={"shared": "/nowhere"}), divmod, [(7, 2)], "jobs")


def test_the_jobs_of_a_stage_that_was_killed_are_stopped(spec, cluster, tmp_path):
    ask = f"from relearn.params.base import Compute; from relearn.training import compute; spec = Compute(**{spec.model_dump()})"
    stage = begun(tmp_path, "-c", f"{ask}; import time; compute.fan_out(spec, time.sleep, [(3600,)] * 2, 'jobs')")
    wait_for(lambda: len(jobs_in(tmp_path, cluster)) == 2)
    stage.kill()
    stage.wait()
    wait_for(lambda: not jobs_in(tmp_path, cluster))


def test_a_scheduler_that_is_not_there_is_told(spec, monkeypatch):
    monkeypatch.setattr("relearn.training.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(OSError, match=r"nothing answers at tcp://127\.0\.0\.1:9: is `dask scheduler` running"):
        compute.fan_out(spec.model_copy(update={"scheduler": "tcp://127.0.0.1:9"}), divmod, [(7, 2)], "jobs")


def test_a_scheduler_that_dies_is_told(spec, tmp_path):
    with clusters.started(tmp_path / "another", workers=1) as another:

        def end():
            wait_for(lambda: jobs_in(tmp_path, another))
            another.scheduler.kill()

        threading.Thread(target=end).start()
        with pytest.raises(OSError, match="was lost; the same command resumes from here"):
            compute.fan_out(spec.model_copy(update={"scheduler": another.address}), time.sleep, [(PATIENCE,)], "jobs")
