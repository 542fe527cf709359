"""How much of the learning lies behind: steps, each as long as its learning rate."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_ssp import graph
from keras_ssp.types import Array

POINTS = 256


def steps_taken(optimizer: keras.optimizers.Optimizer) -> int:
    """Steps that an optimizer has taken, on several devices too."""
    return int(ops.convert_to_numpy(optimizer.iterations))


class LearningClock:
    """Runs from 0 to 1 over a training, by the learning rate of its steps.

    Energy moves by weights that move, so under a decayed learning rate half of what
    can be done is done long before half of the steps. Where the learning rate is no
    schedule, each step counts the same.

    Args:
        optimizer: The optimizer.
        steps: Steps of the whole training.
        first: The optimizer's count of steps at the beginning.

    Example:

    >>> decay = keras.optimizers.schedules.CosineDecay(0.1, 100)
    >>> clock = LearningClock(keras.optimizers.SGD(decay), steps=100)
    >>> [round(clock(step), 3) for step in (0, 50, 100)]
    [0.0, 0.818, 1.0]
    """

    def __init__(
        self, optimizer: keras.optimizers.Optimizer, steps: int, first: int = 0
    ) -> None:
        self.at = np.linspace(0.0, steps, min(steps, POINTS) + 1)
        self.passed: Array = np.linspace(0.0, 1.0, len(self.at))
        schedule = graph.learning_rate_schedule(optimizer)
        if schedule is not None:
            rates = np.asarray(
                [float(ops.convert_to_numpy(schedule(first + k))) for k in self.at]
            )
            passed = np.concatenate([[0.0], np.cumsum((rates[1:] + rates[:-1]) / 2)])
            if np.all(np.isfinite(passed)) and passed[-1] > 0 and np.all(rates >= 0):
                self.passed = passed / passed[-1]

    def __call__(self, step: float) -> float:
        """The clock after a number of steps."""
        return float(np.interp(step, self.at, self.passed))
