"""Optimizers as params.yaml spells them: Keras' own, and what stochastic gradient descent may have beside."""

from typing import Any

from relearn.networks.engine import keras
from relearn.params.training import Optimizer, Schedule

SHIFT = "beta"  # Keras' name of what a normalization adds


class Triangle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """In a line from start * rate to rate after peak * steps, and in a line down to end * rate after the last step."""

    def __init__(self, rate: float, schedule: Schedule, steps: int) -> None:
        self.rate, self.schedule, self.steps = rate, schedule, steps

    def __call__(self, step: Any) -> Any:
        ops, spec = keras.ops, self.schedule
        step, top = ops.cast(step, "float32"), int(spec.peak * self.steps)
        rising = spec.start + (1 - spec.start) * step / max(top, 1)
        falling = ops.maximum(1 - (1 - spec.end) * (step - top) / max(self.steps - top, 1), spec.end)
        return self.rate * ops.where(step < top, rising, falling)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "schedule": self.schedule.model_dump(), "steps": self.steps}


class Descent(keras.optimizers.SGD):  # type: ignore[misc]
    """SGD with coupled weight decay (an L2 penalty's gradient) and a learning rate of their own for normalizations' shifts.

    A shift decays as slowly as the other weights do, whatever its rate. Keras' own weight_decay is decoupled. As in Keras the
    velocity holds steps, at the rates of their time (PyTorch's holds gradients, all of which get the rate of now).
    """

    def __init__(self, learning_rate: Any, spec: Optimizer) -> None:
        super().__init__(learning_rate, momentum=spec.momentum, nesterov=spec.nesterov)
        self.spec = spec

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        trained = self._trainable_variables[self._get_variable_index(variable)]  # TensorFlow's variable has another name
        rate = self.spec.norm_shift_rate if trained.name == SHIFT else 1.0
        decayed = keras.ops.add(gradient, keras.ops.multiply(variable, self.spec.weight_decay / rate))
        super().update_step(decayed, variable, learning_rate * rate)


def build(spec: Optimizer, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a training of `steps` batches, which only a schedule asks for."""
    rate = Triangle(spec.learning_rate, spec.schedule, steps) if spec.schedule else spec.learning_rate
    if spec.nesterov or spec.weight_decay or spec.norm_shift_rate != 1:
        return Descent(rate, spec)
    options = {"momentum": spec.momentum} if spec.momentum else {}
    named = {"adadelta": "Adadelta", "adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD"}[spec.name]
    return getattr(keras.optimizers, named)(learning_rate=rate, **options)
