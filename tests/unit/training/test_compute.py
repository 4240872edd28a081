import os
import subprocess
import sys

import pytest

from relearn.data import processor
from relearn.params.base import Compute
from relearn.training import compute


def spec(**changes):
    return Compute(**{"precision": "auto", "threads": "auto", "jobs": 2, **changes})


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [("fpu avx512f avx512_bf16", "bfloat16"), ("fpu amx_bf16", "bfloat16"), ("fpu avx2 avx512f", "float32"), ("", "float32")],
)
def test_auto_takes_bfloat16_where_the_processor_has_it(monkeypatch, flags, chosen):
    monkeypatch.setattr(processor, "flags", lambda: set(flags.split()))
    assert compute.precision(spec()) == chosen
    assert compute.precision(spec(precision="float32")) == "float32"


@pytest.mark.parametrize("options", [{}, {"jobs": 1}])
def test_results_come_in_the_jobs_order_whatever_the_backend(options):
    assert compute.fan_out(spec(**options), divmod, [(7, 2), (9, 4), (5, 5)], "jobs") == [(3, 1), (2, 1), (1, 0)]


def test_a_failing_job_fails_the_stage():
    with pytest.raises(ZeroDivisionError):
        compute.fan_out(spec(), divmod, [(1, 1), (1, 0)], "jobs")


ROOTS = """
import numpy as np
from relearn.params.base import Compute
from relearn.training import compute
from relearn.networks.engine import keras, tf

compute.configure(Compute(precision="float32", threads=1, jobs=1))
values = np.random.default_rng(0).uniform(0.001, 3, 1000).astype(np.float32)
quotient = tf.function(lambda y: 0.3 / tf.sqrt(y))(values).numpy()
exact = [np.float32(0.3) / np.sqrt(values)]
got = [quotient]
for scaled in (False, True):
    model = keras.Sequential([keras.Input((1000,)), keras.layers.BatchNormalization(center=False, scale=scaled)])
    scale = 3 * np.ones(1000, np.float32)
    model.layers[0].set_weights([*[scale] * scaled, np.zeros(1000), values])
    got.append(model.predict_on_batch(np.full((2, 1000), 0.3, np.float32))[0])
    exact.append(np.float32(0.3) * ((scale if scaled else np.float32(1)) / np.sqrt(values + np.float32(1e-3))))
print([bool(np.array_equal(*pair)) for pair in zip(got, exact)])
"""


@pytest.mark.parametrize(("pinned", "printed"), [("avx2", "[True, True, True]"), ("none", "[False, False, False]")])
def test_with_pinned_kernels_roots_are_rounded_as_ieee_754_says(pinned, printed):
    """A quotient by a root, as in Adadelta and RMSprop, and batch normalization; NumPy's roots and quotients are exact."""
    environment = os.environ | {"RELEARN_KERNELS": pinned}
    ran = subprocess.run([sys.executable, "-c", ROOTS], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == printed


GELU = """
import numpy as np
from scipy.special import erf
from relearn.params.base import Compute
from relearn.training import compute
from relearn.networks.engine import keras, tf

compute.configure(Compute(precision="float32", threads=1, jobs=1))
values = np.linspace(-6, 6, 1001).astype(np.float32)
gelu = keras.layers.Activation("gelu")
function = tf.function(lambda x: gelu(x)).get_concrete_function(tf.TensorSpec((1001,), tf.float32))
print(np.allclose(function(tf.constant(values)), values * (1 + erf(values / 2**0.5)) / 2, atol=1e-6))
print("Erfc" in {node.op for node in function.graph.as_graph_def().node})
"""


@pytest.mark.parametrize(("pinned", "printed"), [("avx2", "True False"), ("none", "True True")])
def test_gelu_with_pinned_kernels_is_that_of_scipy_without_the_erfc_that_takes_a_reciprocal(pinned, printed):
    environment = os.environ | {"RELEARN_KERNELS": pinned}
    ran = subprocess.run([sys.executable, "-c", GELU], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == printed.split()
