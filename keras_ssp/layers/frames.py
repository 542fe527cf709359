"""Frames of events: data that bring a time axis of their own."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_ssp import graph
from keras_ssp._checks import boolean
from keras_ssp.graph import timeline
from keras_ssp.layers.encoding import Encoding
from keras_ssp.layers.events import EventSource
from keras_ssp.layers.padding import only_valid
from keras_ssp.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="keras_ssp")
class EventFrames(EventSource, Encoding):
    """Takes data that has a time axis, such as the frames of an event camera.

        y[b * T + t] = x[b, t]

    Args:
        time_steps: Positive integer T, or `None` to take it from the input shape.
        events: Whether the values are event counts (whole numbers of at least 0),
            each of which costs an accumulate at every synapse it drives. `False`
            for analogue frames, which cost multiply-accumulates at each step.
            Defaults to `True`.

    Input shape: `(batch, T, ...)`. Output shape: `(batch * T, ...)`.

    Sequences of several lengths are padded to one T, and a mask says which steps hold
    data: `keras.layers.Masking` before this layer, or `mask=` (booleans,
    `(batch, T)`) when it is called. A padded step makes no event, changes no neuron, is
    read by no readout and costs nothing.

    Raises:
        ValueError: If `time_steps` is not a positive integer or does not equal the
            input's second axis.

    Example:

    >>> EventFrames(events=True)(np.zeros((2, 5, 34, 34, 2))).shape
    TensorShape([10, 34, 34, 2])

    Reference: frame integration of event data as in Fang et al., SpikingJelly,
    Science Advances 9 (2023).
    """

    def __init__(
        self, time_steps: int | None = None, *, events: bool = True, **kwargs: Any
    ) -> None:
        # A placeholder passes the base's check; build() puts the real T.
        super().__init__(1 if time_steps is None else time_steps, **kwargs)
        self._given_steps = None if time_steps is None else self.time_steps
        self.events = boolean("events", events)

    @property
    def emits_events(self) -> bool:  # type: ignore[override]
        """Whether the output consists of events."""
        return self.events

    def build(self, input_shape: Shape) -> None:
        self._settle(tuple(input_shape))

    def _settle(self, shape: Shape) -> None:
        if len(shape) < 3:
            raise ValueError(
                f"Layer '{self.name}' must receive (batch, T, ...) with at least one "
                f"feature axis. Received: shape={shape}."
            )
        found = shape[1]
        if found is None and self._given_steps is None:
            raise ValueError(
                f"Layer '{self.name}' cannot know T: axis 1 of its input has no fixed "
                f"size and `time_steps` was not given. Received: shape={shape}."
            )
        if None not in (found, self._given_steps) and found != self._given_steps:
            raise ValueError(
                f"`time_steps` of layer '{self.name}' must equal axis 1 of its input. "
                f"Received: time_steps={self._given_steps}, shape={shape}."
            )
        self.time_steps = self._given_steps or int(found or 0)

    def call(
        self, inputs: Tensor, mask: Tensor = None, training: bool | None = None
    ) -> Tensor:
        call = self._start(mask is not None)
        shape = ops.shape(inputs)
        steps = self.time_steps
        if isinstance(shape[1], int) and shape[1] != steps:
            raise ValueError(
                f"Layer '{self.name}' must receive (batch, {steps}, ...): it has "
                f"time_steps={steps}. Received: shape={tuple(inputs.shape)}, "
                f"{shape[1]} steps."
            )
        y = ops.reshape(inputs, (shape[0] * steps, *shape[2:]))
        if mask is not None:
            call.valid = ops.reshape(_of_steps(mask), (shape[0] * steps,))
            running = graph.functional_under_way()
            if training and running is not None:
                timeline.check_padding(running)
            y = only_valid(y, call.valid)
        if self.events:
            self.announce(y, steps, call)
        return y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._settle(tuple(input_shape))
        rows = input_shape[0]
        folded = None if rows is None else rows * self.time_steps
        return (folded, *input_shape[2:])

    def get_config(self) -> Config:
        config = super().get_config()
        return {**config, "time_steps": self._given_steps, "events": self.events}

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor = None) -> Tensor:
        # Only where one row is one mask value do Keras' layers read it as it is meant;
        # the layers of this package are told otherwise.
        if previous_mask is None or len(inputs.shape) != 3:
            return None
        return ops.reshape(_of_steps(previous_mask), (-1,))


def _of_steps(mask: Tensor) -> Tensor:
    """`(batch, T)`: a step holds data where any element of its mask says so."""
    mask = ops.cast(mask, "bool")
    axes = tuple(range(2, len(mask.shape)))
    return ops.any(mask, axis=axes) if axes else mask
