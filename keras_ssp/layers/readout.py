"""Readout: from `(batch * T, ...)` back to one row per sample."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_ssp import graph
from keras_ssp._checks import one_of
from keras_ssp.layers.timed import TimedLayer, batch_rows
from keras_ssp.types import Config, Shape, Tensor

MODES = ("mean", "sum", "max", "last")


@keras.saving.register_keras_serializable(package="keras_ssp")
class RateReadout(TimedLayer):
    """Reduces the time steps of each sample to one row.

    With `y[b, t]` the row of sample `b` at step `t`:

        mean: (1/T) sum_t y[b, t]      sum:  sum_t y[b, t]
        max:  max_t y[b, t]            last: y[b, T-1]

    Every branch that an encoding layer folded must end in a readout.

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

    def call(self, inputs: Tensor) -> Tensor:
        steps = self.running_steps(inputs, graph.call_state())
        shape = ops.shape(inputs)
        y = ops.reshape(inputs, (shape[0] // steps, steps, *shape[1:]))
        if self.mode == "last":
            return y[:, -1]
        reduce = {"mean": ops.mean, "sum": ops.sum, "max": ops.max}[self.mode]
        return reduce(y, axis=1)

    def compute_output_spec(self, inputs: Tensor) -> Tensor:
        steps = self.learn_steps(inputs)
        shape = (batch_rows(inputs.shape[0], steps), *inputs.shape[1:])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (batch_rows(input_shape[0], self.steps or 1), *input_shape[1:])

    def get_config(self) -> Config:
        return {**super().get_config(), "mode": self.mode}
