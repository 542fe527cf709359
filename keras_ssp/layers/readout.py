"""Readout: from `(batch * T, ...)` back to one row per sample."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_ssp import graph
from keras_ssp._checks import one_of
from keras_ssp.layers.padding import only_valid, over_features
from keras_ssp.layers.timed import TimedLayer, batch_rows
from keras_ssp.types import Config, Shape, Tensor

MODES = ("mean", "sum", "max", "last")


@keras.saving.register_keras_serializable(package="keras_ssp")
class RateReadout(TimedLayer):
    """Reduces the time steps of each sample to one row.

    With `y[b, t]` the row of sample `b` at step `t`:

        mean: (1/T) sum_t y[b, t]      sum:  sum_t y[b, t]
        max:  max_t y[b, t]            last: y[b, T-1]

    Every branch that an encoding layer folded must end in a readout. Padded steps (see
    `EventFrames`) are not read: T is then the number of steps that hold data.

    Args:
        mode: `"mean"`, `"sum"`, `"max"` or `"last"`. Defaults to `"mean"`.
        time_steps: Positive integer T, or `None` to learn it from the model.

    Input shape: `(batch * T, ...)`. Output shape: `(batch, ...)`.

    Raises:
        ValueError: If layers disagree on T, or `mode` is none of the four.

    Example:

    >>> x = np.array([[1.0], [3.0], [5.0], [7.0]], "float32")  # two samples, T = 2
    >>> np.asarray(RateReadout(time_steps=2)(x)).ravel().tolist()
    [2.0, 6.0]

    Reference: rate decoding, e.g. Suetake et al., arXiv 2302.01500.
    """

    time_role = "readout"

    def __init__(
        self, mode: str = "mean", *, time_steps: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(time_steps=time_steps, **kwargs)
        self.mode = one_of("mode", mode, MODES)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        call = graph.call_state()
        steps = self.running_steps(inputs, call)
        shape = ops.shape(inputs)
        y = ops.reshape(inputs, (shape[0] // steps, steps, *shape[1:]))
        if call.valid is not None and steps > 1:
            valid = ops.reshape(call.valid, (shape[0] // steps, steps))
            return self._of_valid(y, valid)
        if self.mode == "last":
            return y[:, -1]
        reduce = {"mean": ops.mean, "sum": ops.sum, "max": ops.max}[self.mode]
        return reduce(y, axis=1)

    def _of_valid(self, y: Tensor, valid: Tensor) -> Tensor:
        """The readout of the steps that hold data; 0 where a sample has none."""
        if self.mode == "max":
            low = ops.full_like(y, -float("inf"))
            most = ops.max(ops.where(over_features(valid, y), y, low), axis=1)
            return only_valid(most, ops.any(valid, axis=1))
        if self.mode == "last":
            clock = ops.arange(1, y.shape[1] + 1, dtype="int32") * ops.cast(
                valid, "int32"
            )
            last = ops.max(clock, axis=1, keepdims=True)
            valid = ops.logical_and(valid, ops.equal(clock, last))
        total = ops.sum(only_valid(y, valid), axis=1)
        if self.mode != "mean":
            return total
        count = ops.maximum(ops.sum(ops.cast(valid, y.dtype), axis=1), 1.0)
        return total / over_features(count, total)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor = None) -> Tensor:
        # One value a row is a mask over time, which ends here.
        if previous_mask is None or len(previous_mask.shape) < 2:
            return None
        steps = self.steps or 1
        shape = (-1, steps, *tuple(previous_mask.shape)[1:])
        return ops.reshape(previous_mask, shape)[:, 0]

    def compute_output_spec(self, inputs: Tensor) -> Tensor:
        steps = self.learn_steps(inputs)
        shape = (batch_rows(inputs.shape[0], steps), *inputs.shape[1:])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (batch_rows(input_shape[0], self.steps or 1), *input_shape[1:])

    def get_config(self) -> Config:
        return {**super().get_config(), "mode": self.mode}
