"""What the bytes of results depend on is pinned by params.yaml, before NumPy is imported, whatever a person has set."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from relearn.data import pins
from tests.conftest import ROOT

STAGES = sorted(path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")
BY_SCALE = {"smoke": "float32", "quick": "float32", "book": "auto"}


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """An environment without anything that is pinned, in a folder without params.yaml."""
    monkeypatch.chdir(tmp_path)
    names = {*pins.KERNELS, *pins.SETTINGS, pins.MARK}
    environ = {name: value for name, value in os.environ.items() if name not in names}
    monkeypatch.setattr(os, "environ", environ)
    return environ


def parameters(folder, scale="quick", precision=None):
    folder.mkdir(exist_ok=True)
    compute = {"precision": precision or BY_SCALE, "threads": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump({"scale": scale, "compute": compute}))


@pytest.mark.parametrize(("scale", "precision", "expected"), [
    ("smoke", None, "float32"), ("quick", None, "float32"), ("book", None, "auto"),
    ("book", "float32", "float32"), ("quick", "bfloat16", "bfloat16"),
])  # fmt: skip
def test_the_precision_is_that_of_the_scale_in_force(tmp_path, scale, precision, expected):
    parameters(tmp_path, scale, precision)
    assert pins.precision(tmp_path) == expected


def test_the_precision_of_photographs_stands_above(tmp_path):
    parameters(tmp_path, "book")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/params.yaml").write_text("datasets: {}\n")
    assert pins.precision(tmp_path / "photos") == "auto"


@pytest.mark.parametrize(
    "text", [None, "", "compute: [", "[1]", "compute: 3", "scale: quick\ncompute: {precision: {smoke: auto}}"]
)
def test_parameters_that_cannot_be_read_pin_or_leave_alone_without_an_error(tmp_path, text):
    """`checks` tells what is wrong with them."""
    if text is not None:
        (tmp_path / "params.yaml").write_text(text)
    assert pins.precision(tmp_path) in ("float32", "None")


@pytest.mark.parametrize("folder", ["", "photos"])
def test_the_projects_own_scales_but_book_are_in_float32(folder):
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert raw["compute"]["precision"] == BY_SCALE
    assert pins.precision(ROOT / folder) == BY_SCALE[raw["scale"]]


def test_in_float32_kernels_are_pinned_whatever_was_set(environ, tmp_path):
    parameters(tmp_path)
    environ["OMP_NUM_THREADS"] = "7"
    pins.put()
    assert pins.kernels() == "avx2"
    assert {name: environ[name] for name in pins.KERNELS} == pins.KERNELS
    assert environ["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert environ["OMP_NUM_THREADS"] == "1"


def test_in_another_precision_threads_and_kernels_stay_as_they_are(environ, tmp_path):
    parameters(tmp_path, "book")
    environ["OMP_NUM_THREADS"] = "7"
    pins.put()
    assert pins.kernels() == "none"
    assert environ["OMP_NUM_THREADS"] == "7"
    assert environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
    assert not {"ONEDNN_MAX_CPU_ISA", "NPY_DISABLE_CPU_FEATURES"} & environ.keys()


def test_a_process_has_the_pins_of_the_one_that_started_it_unless_these_were_cleared(environ, tmp_path):
    parameters(tmp_path)
    pins.put()
    parameters(tmp_path, "book")
    pins.put()
    assert pins.kernels() == "avx2"
    pins.clear()
    pins.put()
    assert pins.kernels() == "none"
    assert not {"ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE"} & environ.keys()
    environ["OMP_NUM_THREADS"] = "7"
    pins.clear()
    assert environ["OMP_NUM_THREADS"] == "7"


# Runs stages as `python -m` does, up to where they import NumPy, and prints what the environment is then.
UP_TO_NUMPY = """
import json, os, runpy, sys

class Watch:
    def find_spec(self, name, *_):
        if name == "numpy":
            print(json.dumps([stage, dict(os.environ)]))
            raise ImportError("no further")

sys.meta_path.insert(0, Watch())
clean = dict(os.environ)
for stage in sys.argv[1].split(","):
    for name in [name for name in sys.modules if name.split(".")[0] in ("relearn", "stages")]:
        del sys.modules[name]
    os.environ.clear()
    os.environ.update(clean)
    sys.argv[1:] = []
    try:
        runpy.run_module(f"stages.{stage}", run_name="__main__")
    except ImportError:
        continue
    except SystemExit:
        pass
"""


@pytest.mark.parametrize("gpus", ["", "0,1"])
def test_kernels_are_pinned_and_gpus_hidden_unless_named_before_a_stage_imports_numpy(tmp_path, environ, gpus):
    """TensorFlow, which looks for GPUs when it is imported, imports NumPy first."""
    parameters(tmp_path)
    environ.pop("CUDA_VISIBLE_DEVICES", None)
    if gpus:
        environ["CUDA_VISIBLE_DEVICES"] = gpus
    done = subprocess.run([sys.executable, "-c", UP_TO_NUMPY, ",".join(STAGES)], cwd=tmp_path,
                          env=environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)  # fmt: skip
    seen = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    expected = pins.KERNELS | pins.SETTINGS | {"CUDA_VISIBLE_DEVICES": gpus or "-1"}
    assert {stage for stage, _ in seen} == set(STAGES), done.stderr
    assert all({name: told.get(name) for name in expected} == expected for _, told in seen)


def test_numpy_does_without_what_only_some_processors_have(tmp_path, environ):
    parameters(tmp_path)
    code = "import relearn, numpy; print(numpy._core._multiarray_umath.__cpu_features__['X86_V4'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "False\n"


OWN = """
import json
from relearn.params.base import Compute
from relearn.training import compute
compute.configure(Compute(precision="float32", threads=1, jobs=1))
import matplotlib
import matplotlib.pyplot
from relearn.networks.engine import keras
config = keras.config
print(json.dumps([config.backend(), config.floatx(), config.epsilon(), config.image_data_format(),
                  matplotlib.get_backend(), matplotlib.rcParams["lines.linewidth"]]))
"""


@pytest.mark.parametrize("backend", ["TkAgg", "module://matplotlib_inline.backend_inline"])  # the latter is a notebook's
def test_a_persons_own_settings_change_nothing(tmp_path, environ, backend):
    parameters(tmp_path / "project")
    keras = {"backend": "jax", "floatx": "float16", "epsilon": 0.01, "image_data_format": "channels_first"}
    for name, text in {".keras/keras.json": json.dumps(keras), ".config/matplotlib/matplotlibrc": "lines.linewidth: 9\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    own = {
        "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config"), "KERAS_BACKEND": "jax", "MPLBACKEND": backend,
        "MATPLOTLIBRC": str(tmp_path / ".config/matplotlib/matplotlibrc"),
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", OWN], cwd=tmp_path / "project", env=environ | own | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["tensorflow", "float32", 1e-07, "channels_last", "agg", 1.5]
