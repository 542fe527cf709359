"""Encoding layers: they state T and fold time into the batch."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ssp import graph
from keras_ssp._checks import positive_int, real, whole
from keras_ssp.graph import CallState, timeline
from keras_ssp.kernels import random_uniform, takes_source
from keras_ssp.layers.events import EventSource
from keras_ssp.layers.timed import repeat_rows, require_features
from keras_ssp.types import Array, Config, Shape, Tensor


class Encoding(keras.layers.Layer):
    """Base of the layers that fold time into the batch, batch-major.

    Args:
        time_steps: Positive integer T.
    """

    time_role = "encoding"

    def __init__(self, time_steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.time_steps = positive_int("time_steps", time_steps)
        self.supports_masking = True

    @property
    def steps(self) -> int:
        """T, as for every layer that knows about time."""
        return self.time_steps

    def build(self, input_shape: Shape) -> None:
        require_features(self, input_shape)

    def _start(self, padded: bool = False) -> CallState:
        """The state of the call under way, after the timeline's checks.

        Args:
            padded: Whether a mask says which time steps hold data.
        """
        call = graph.call_state()
        timeline.on_call(self, call)
        if call.encoded and (padded or call.valid is not None):
            raise ValueError(
                f"Layer '{self.name}' cannot run beside another encoding layer where "
                "time steps are padded: which rows hold data is known for one of them "
                "alone. Remedy: join the inputs before one encoding layer."
            )
        call.encoded = True
        return call

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor = None) -> Tensor:
        # A mask over an axis of the features, for each of the steps.
        if previous_mask is None:
            return None
        return repeat_rows(previous_mask, self.time_steps)

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
    analogue stem is then computed once per image instead of T times. Neurons straight
    behind it read the image, not T copies; on TensorFlow they hand their gradient to
    the layer's input at once, so that a `GradientTape` finds none at its output.

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
        call = self._start()
        outputs = repeat_rows(inputs, self.time_steps)
        # Neurons straight behind it read one step, not T copies.
        call.repeated = (outputs, inputs) if takes_source() else None
        return outputs


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
        self.seed = whole("seed", seed, optional=True)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self._looked = False

    def call(self, inputs: Tensor) -> Tensor:
        call = self._start()
        self._look_at(inputs)
        p = repeat_rows(inputs * self.gain, self.time_steps)
        draw = random_uniform(ops.shape(p), self.seed_generator)
        spikes = ops.cast(draw < ops.cast(p, draw.dtype), self.compute_dtype)
        spikes = _nan_kept(spikes, p)
        self.announce(spikes, self.time_steps, call)
        return spikes

    def get_config(self) -> Config:
        return {**super().get_config(), "gain": self.gain, "seed": self.seed}

    def _look_at(self, inputs: Tensor) -> None:
        """Warns, once, of values that no probability can stand for."""
        if self._looked:
            return
        values = _known(inputs)
        if values is None or not values.size:
            return  # inside a compiled function there is nothing to look at
        self._looked = True
        low, high = float(values.min()), float(values.max()) * self.gain
        if low < 0.0 or high > 1.0:
            warnings.warn(
                f"Layer '{self.name}' expects values in [0, {1 / self.gain:g}], as "
                "`gain` times a value is a probability: what is below never fires, "
                f"what is above always does. Received: values from {low:g} to "
                f"{high / self.gain:g}. Remedy: rescale them, or pass `gain`.",
                stacklevel=2,
            )


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
        spikes = _nan_kept(spikes, ops.expand_dims(x, 1))
        shape = ops.shape(inputs)
        spikes = ops.reshape(spikes, (shape[0] * steps, *shape[1:]))
        self.announce(spikes, steps, call)
        return spikes

    def get_config(self) -> Config:
        return {**super().get_config(), "min_value": self.min_value}


def _nan_kept(spikes: Tensor, values: Tensor) -> Tensor:
    """NaN where a value was one: what is not finite must not look like silence."""
    nan = ops.cast(float("nan"), spikes.dtype)
    return ops.where(ops.isnan(values), nan, spikes)


def _known(x: Tensor) -> Array | None:
    """The values of a tensor, `None` inside a function that is being compiled."""
    try:
        return np.asarray(ops.convert_to_numpy(x))
    except Exception:  # each backend has an error of its own for it
        return None
