import numpy as np
import pytest

from relearn.networks import optimizers
from relearn.networks.engine import keras
from relearn.params.training import Optimizer, Schedule


def descent(**fields):
    return Optimizer.model_validate({"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True} | fields)


def test_the_rate_rises_to_its_peak_and_falls_to_its_end():
    rate = optimizers.Triangle(2.0, Schedule(start=0.2, peak=0.2, end=0.1), 50)
    assert [float(rate(step)) for step in (0, 5, 10, 30, 50, 60)] == pytest.approx([0.4, 1.2, 2.0, 1.1, 0.2, 0.2])


def test_a_rate_may_end_above_its_start():
    rate = optimizers.Triangle(1.0, Schedule(start=0.0, peak=0.5, end=0.5), 10)
    assert [float(rate(step)) for step in (0, 1, 4, 5, 9, 10)] == pytest.approx([0.0, 0.2, 0.8, 1.0, 0.6, 0.5])


def test_a_training_as_short_as_one_step_has_a_rate():
    rate = optimizers.Triangle(1.0, Schedule(start=0.2, peak=0.2), 1)
    assert float(rate(0)) == pytest.approx(1.0)


def test_weights_go_the_way_of_nesterovs_momentum_with_coupled_decay():
    """Sutskever et al. 2013, eq. 7: v = mu v - rate g; w = w + mu v - rate g, with decay * w added to g."""
    weight = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer = optimizers.build(descent(weight_decay=0.01), 10)
    optimizer.build([weight])
    expected, velocity = np.array([1.0, -2.0]), np.zeros(2)
    for gradient in ([0.5, 0.1], [0.2, -0.3], [-0.1, 0.0]):
        optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, "float32"))])
        total = np.array(gradient) + 0.01 * expected
        velocity = 0.9 * velocity - 0.1 * total
        expected = expected + 0.9 * velocity - 0.1 * total
    assert np.allclose(weight, expected, atol=1e-6)


def test_only_the_shifts_of_normalizations_have_a_rate_of_their_own_and_decay_no_faster():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    [kernel, bias, gamma, beta] = model.trainable_weights
    for weight in model.trainable_weights:
        weight.assign(np.ones(weight.shape))
    optimizer = optimizers.build(descent(momentum=0.0, nesterov=False, weight_decay=0.2, norm_shift_rate=64.0), 10)
    optimizer.build(model.trainable_weights)
    optimizer.apply([keras.ops.ones(weight.shape) for weight in model.trainable_weights])
    slow, shift = 1 - 0.1 * (1 + 0.2), 1 - 0.1 * (64 + 0.2)
    for weight, expected in ((kernel, slow), (bias, slow), (gamma, slow), (beta, shift)):
        assert np.allclose(weight, expected, atol=1e-5), weight.path


def test_the_schedule_goes_on_where_an_optimizers_state_does():
    first, second = (optimizers.build(descent(schedule={"start": 0.0, "peak": 0.5}), 10) for _ in range(2))
    for optimizer, steps in ((first, 3), (second, 0)):
        weight = keras.Variable(np.ones(2, "float32"))
        optimizer.build([weight])
        for _ in range(steps):
            optimizer.apply([keras.ops.ones(2)])
    for ours, theirs in zip(second.variables, first.variables, strict=True):
        ours.assign(theirs)
    assert float(second.learning_rate) == pytest.approx(0.1 * 3 / 5)
