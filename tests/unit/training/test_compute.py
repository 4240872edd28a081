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
