"""Encoding layers: they state T and fold time into the batch."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_ssp import graph
from keras_ssp._checks import positive_int, real
from keras_ssp.graph import CallState, timeline
from keras_ssp.kernels import random_uniform
from keras_ssp.layers.events import EventSource
from keras_ssp.layers.timed import repeat_rows, require_features
from keras_ssp.types import Config, Shape, Tensor


class Encoding(keras.layers.Layer):
    """Base of the layers that fold time into the batch, batch-major.

    Args:
        time_steps: Positive integer T.
    """

    time_role = "encoding"

    def __init__(self, time_steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.time_steps = positive_int("time_steps", time_steps)

    @property
    def steps(self) -> int:
        """T, as for every layer that knows about time."""
        return self.time_steps

    def build(self, input_shape: Shape) -> None:
        require_features(self, input_shape)

    def _start(self) -> CallState:
        """The state of the call under way, after the timeline's checks."""
        call = graph.call_state()
        timeline.on_call(self, call)
        return call

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        rows = input_shape[0]
        folded = None if rows is None else rows * self.time_steps
        return (folded, *input_shape[1:])

    def get_config(self) -> Config:
        return {**super().get_config(), "time_steps": self.time_steps}


@keras.saving.register_keras_serializable(package="keras_ssp")
class DirectEncoding(Encoding):
    """Presents the same analogue values at each of T steps.

        y[b * T + t] = x[b]

    Put it after the first convolution (and its batch normalisation): the
    analogue stem is then computed once per image instead of T times.

    Args:
        time_steps: Positive integer T.

    Input shape: `(batch, ...)`. Output shape: `(batch * T, ...)`.

    Raises:
        ValueError: If `time_steps` is not a positive integer.

    Example:

    >>> np.asarray(DirectEncoding(2)(np.array([[1.0], [5.0]]))).ravel().tolist()
    [1.0, 1.0, 5.0, 5.0]

    Reference: Rathi & Roy, "DIET-SNN", arXiv 2008.03658.
    """

    def call(self, inputs: Tensor) -> Tensor:
        self._start()
        return repeat_rows(inputs, self.time_steps)


@keras.saving.register_keras_serializable(package="keras_ssp")
class PoissonEncoding(EventSource, Encoding):
    """Draws a spike at each step with a probability given by the intensity.

        P(y[b * T + t] = 1) = clip(gain * x[b], 0, 1), independently for each t

    Also called Bernoulli rate coding. Spikes are drawn in training and in
    inference; the draw is repeatable with `seed` (the state advances with each
    call; an exported network draws anew each time). There is no gradient to the input.

    Args:
        time_steps: Positive integer T.
        gain: Positive float that maps intensities to probabilities. Defaults to 1.
        seed: Integer or `None`.

    Input shape: `(batch, ...)`, values in `[0, 1 / gain]`.
    Output shape: `(batch * T, ...)`, exactly 0 or 1.

    Example:

    >>> spikes = PoissonEncoding(100, seed=0)(np.array([[0.0, 0.25, 1.0]]))
    >>> np.asarray(spikes).shape, np.asarray(spikes)[:, 0].max().item()
    ((100, 3), 0.0)

    Reference: Heeger, "Poisson model of spike generation" (2000).
    """

    def __init__(
        self,
        time_steps: int,
        *,
        gain: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(time_steps, **kwargs)
        self.gain = real("gain", gain, above=0.0)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor) -> Tensor:
        call = self._start()
        p = repeat_rows(inputs * self.gain, self.time_steps)
        draw = random_uniform(ops.shape(p), self.seed_generator)
        spikes = ops.cast(draw < ops.cast(p, draw.dtype), self.compute_dtype)
        self.announce(spikes, self.time_steps, call)
        return spikes

    def get_config(self) -> Config:
        return {**super().get_config(), "gain": self.gain, "seed": self.seed}


@keras.saving.register_keras_serializable(package="keras_ssp")
class LatencyEncoding(EventSource, Encoding):
    """Each value fires once; the larger it is, the earlier.

        t*[b] = round((T - 1) * (1 - clip(x[b], 0, 1)))
        y[b * T + t] = 1 if t = t*[b] and x[b] > min_value else 0

    Args:
        time_steps: Positive integer T.
        min_value: Values at or below it never fire. Defaults to 0.

    Input shape: `(batch, ...)`, values in [0, 1].
    Output shape: `(batch * T, ...)`, exactly 0 or 1.

    Example:

    >>> y = LatencyEncoding(3)(np.array([[1.0, 0.5, 0.0]]))
    >>> np.asarray(y).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]

    Reference: Thorpe, Delorme & Van Rullen, Neural Networks 14 (2001), linear
    time-to-first-spike.
    """

    def __init__(
        self, time_steps: int, *, min_value: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(time_steps, **kwargs)
        self.min_value = real("min_value", min_value, low=0.0, high=1.0)

    def call(self, inputs: Tensor) -> Tensor:
        call = self._start()
        steps = self.time_steps
        # float32: in float16 the rounding to a step would depend on the policy.
        x = ops.cast(inputs, "float32")
        first = ops.round((steps - 1) * (1.0 - ops.clip(x, 0.0, 1.0)))
        first = ops.where(x > self.min_value, first, float(steps))
        first = ops.expand_dims(first, 1)
        clock = ops.reshape(
            ops.arange(steps, dtype="float32"), (1, steps) + (1,) * (len(x.shape) - 1)
        )
        spikes = ops.cast(ops.equal(first, clock), self.compute_dtype)
        shape = ops.shape(inputs)
        spikes = ops.reshape(spikes, (shape[0] * steps, *shape[1:]))
        self.announce(spikes, steps, call)
        return spikes

    def get_config(self) -> Config:
        return {**super().get_config(), "min_value": self.min_value}


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
        self.events = bool(events)

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

    def call(self, inputs: Tensor) -> Tensor:
        call = self._start()
        shape = ops.shape(inputs)
        steps = self.time_steps
        y = ops.reshape(inputs, (shape[0] * steps, *shape[2:]))
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
