"""Ramps of lambda."""

from __future__ import annotations

import math
import warnings

import keras

from keras_ssp._checks import one_of, real
from keras_ssp.callbacks.clock import steps_taken
from keras_ssp.penalties.binding import penalized_layers, set_penalty_weight
from keras_ssp.types import Logs

SHAPES = ("linear", "cosine", "step")


class PenaltySchedule(keras.callbacks.Callback):
    """Ramps lambda from 0 to its full value.

        lambda(e) = weight * f((e - start) / epochs),   f(z) = 0 for z < 0, 1 for z >= 1

    with f(z) = z (`"linear"`), (1 - cos(pi z)) / 2 (`"cosine"`) or 0 (`"step"`)
    between. `e` counts epochs, fractions included: the optimizer's step is asked, so
    `steps_per_execution` and resumed training keep to the ramp. Of data whose length is
    not known beforehand, an epoch is taken to be as long as the one before it; in the
    first one lambda stays what it was at its beginning, which a warning says.

    Args:
        weight: lambda at the end of the ramp, at least 0. Defaults to the penalty's
            own.
        epochs: Length of the ramp in epochs, above 0. Defaults to 1.
        start: Epoch at which it begins, at least 0. Defaults to 0.
        shape: `"linear"`, `"cosine"` or `"step"`. Defaults to `"linear"`.

    Raises:
        ValueError: When `fit` starts, if the model has no penalty.

    Example:

    >>> schedule = PenaltySchedule(1e-7, epochs=5, shape="cosine")
    >>> [round(schedule.factor(e), 3) for e in (0, 2.5, 5, 9)]
    [0.0, 0.5, 1.0, 1.0]
    """

    def __init__(
        self,
        weight: float | None = None,
        *,
        epochs: float = 1.0,
        start: float = 0.0,
        shape: str = "linear",
    ) -> None:
        super().__init__()
        self.weight = None if weight is None else real("weight", weight, low=0.0)
        self.epochs = real("epochs", epochs, above=0.0)
        self.start = real("start", start, low=0.0)
        self.shape = one_of("shape", shape, SHAPES)
        self._epoch = 0
        self._first_step = 0
        self._length: int | None = None  # steps of the last epoch
        self._full = 0.0

    def factor(self, epoch: float) -> float:
        """The share of lambda in force at an epoch, fractions included."""
        z = (epoch - self.start) / self.epochs
        if z >= 1.0:
            return 1.0
        if z < 0.0 or self.shape == "step":
            return 0.0
        return z if self.shape == "linear" else (1.0 - math.cos(math.pi * z)) / 2.0

    def on_train_begin(self, logs: Logs = None) -> None:
        own = penalized_layers(self.model)[0].penalty.weight
        self._full = own if self.weight is None else self.weight
        self._length = None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch
        self._first_step = self._step()
        self._set(float(epoch))
        if self._steps is None and self.factor(epoch) != self.factor(epoch + 1.0):
            warnings.warn(
                "The number of steps of an epoch is not known, so lambda moves at the "
                "end of this first epoch and not within it. Remedy: pass "
                "`steps_per_epoch` to `fit`, or data with a length.",
                stacklevel=2,
            )

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        # Not `batch`: with steps_per_execution it jumps, and may pass the end.
        if self._steps is not None:
            done = min(1.0, (self._step() - self._first_step) / self._steps)
            self._set(self._epoch + done)

    @property
    def _steps(self) -> int | None:
        """Steps of an epoch, those of the last one where Keras does not say."""
        return self.params.get("steps") or self._length

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._length = self._step() - self._first_step or None
        self._set(epoch + 1.0)
        if logs is not None:
            logs["penalty_weight"] = self._full * self.factor(epoch + 1.0)

    def _step(self) -> int:
        return steps_taken(self.model.optimizer)

    def _set(self, epoch: float) -> None:
        set_penalty_weight(self.model, self._full * self.factor(epoch))
