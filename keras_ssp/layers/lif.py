"""Leaky integrate-and-fire neurons."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ssp import surrogates
from keras_ssp._checks import one_of, real
from keras_ssp.graph import timeline
from keras_ssp.kernels import LoopSpec, lif_loop
from keras_ssp.layers.timed import EventSource, TimedLayer, require_features

RESETS = ("hard", "soft", "none")


@keras.saving.register_keras_serializable(package="keras_ssp")
class Between(keras.constraints.Constraint):
    """Keeps a learned parameter within `[low, high]`."""

    def __init__(self, low: float, high: float | None = None) -> None:
        self.low = low
        self.high = high

    def __call__(self, w: Any) -> Any:
        w = ops.maximum(w, self.low)
        return w if self.high is None else ops.minimum(w, self.high)

    def get_config(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(package="keras_ssp")
class LIF(EventSource, TimedLayer):
    """Leaky integrate-and-fire neurons, a drop-in for `ReLU()`.

    For every neuron and time step:

        v[t] = beta * u[t-1] + x[t]
        s[t] = 1 if v[t] >= threshold else 0
        u[t] = v[t] * (1 - s[t])           reset="hard"
               v[t] - threshold * s[t]     reset="soft"
               v[t]                        reset="none"

    The derivative of the step is replaced by a surrogate in the backward pass.
    `beta=1` is the integrate-and-fire neuron, T = 1 the single-step network.
    Time is folded into the batch, batch-major: row `b * T + t` is sample `b` at
    step `t`. In a Sequential or Functional model T is learned from the encoding
    layer above (T = 1 without one); elsewhere give `time_steps`.

    Args:
        beta: Float in [0, 1], the share of potential kept from step to step.
            Defaults to 0.5.
        threshold: Positive float, the potential at which a neuron fires (`>=`).
            Defaults to 1.0.
        reset: `"hard"` (to 0), `"soft"` (subtract the threshold) or `"none"`.
            Defaults to `"hard"`.
        surrogate: Name, config or `keras_ssp.surrogates.Surrogate`. Defaults to
            `"triangle"`.
        detach_reset: Whether the backward pass ignores the reset's dependence on
            the spike. Defaults to `False`.
        learn_beta: Whether `beta` is a trainable weight (kept within [0, 1]).
        learn_threshold: Whether `threshold` is a trainable weight (kept positive).
        initial_potential: Float, `u[-1]`. Defaults to 0.0.
        return_potential: Whether the layer returns `[spikes, u]` instead of spikes.
        time_steps: Positive integer T, or `None` to learn it from the model.
        fan_out: Synapses that each neuron's spike drives, a number or an array
            that broadcasts against the features. Needed in subclassed models,
            which have no graph to read; elsewhere it replaces what is counted.

    Input shape: `(batch * T, ...)`. Output shape: the same; a list of two such
    tensors with `return_potential=True`.

    Raises:
        ValueError: If an argument breaks its rule, layers disagree on T, or T
            cannot be known.

    Example:

    >>> layer = LIF(beta=0.5, time_steps=3)
    >>> x = np.array([[0.8], [0.8], [0.8]], "float32")  # one sample, three steps
    >>> np.asarray(layer(x)).ravel().tolist()
    [0.0, 1.0, 0.0]

    Reference: Suetake et al., arXiv 2302.01500; surrogate gradients after Neftci
    et al., IEEE Signal Processing Magazine 36 (2019).
    """

    time_role = "spiking"

    def __init__(
        self,
        beta: float = 0.5,
        *,
        threshold: float = 1.0,
        reset: str = "hard",
        surrogate: Any = "triangle",
        detach_reset: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        initial_potential: float = 0.0,
        return_potential: bool = False,
        time_steps: int | None = None,
        fan_out: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(time_steps=time_steps, **kwargs)
        self.beta = real("beta", beta, low=0.0, high=1.0)
        self.threshold = real("threshold", threshold, above=0.0)
        self.reset = one_of("reset", reset, RESETS)
        self.surrogate = surrogates.get(surrogate)
        self.detach_reset = bool(detach_reset)
        self.learn_beta = bool(learn_beta)
        self.learn_threshold = bool(learn_threshold)
        self.initial_potential = real("initial_potential", initial_potential)
        self.return_potential = bool(return_potential)
        self.fan_out = _fan_out(fan_out)
        self.supports_jit = True
        self.feature_shape: tuple[int, ...] | None = None
        self._penalty: Any = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        require_features(self, input_shape)
        sizes = tuple(n for n in tuple(input_shape)[1:] if n is not None)
        self.feature_shape = sizes if len(sizes) == len(input_shape) - 1 else None
        # Both are weights only when learned: a fixed value costs no variable.
        if self.learn_beta:
            self.beta_weight = self._parameter("beta", self.beta, Between(0.0, 1.0))
        if self.learn_threshold:
            self.threshold_weight = self._parameter(
                "threshold", self.threshold, Between(keras.config.epsilon())
            )
        # lambda lives in a weight, so that a schedule, a controller or a tuner can
        # move it without tracing the model again. Always there, so that adding a
        # penalty never changes the list of weights.
        self.penalty_weight = self.add_weight(
            name="penalty_weight",
            shape=(),
            initializer=keras.initializers.Constant(
                0.0 if self._penalty is None else self._penalty.penalty.weight
            ),
            trainable=False,
            dtype="float32",
            autocast=False,
        )

    def _parameter(self, name: str, value: float, constraint: Any) -> Any:
        return self.add_weight(
            name=name,
            shape=(),
            initializer=keras.initializers.Constant(value),
            constraint=constraint,
            dtype="float32",
            autocast=False,
        )

    def call(self, inputs: Any) -> Any:
        steps = self.running_steps(inputs)
        shape = ops.shape(inputs)
        folded = ops.reshape(inputs, (shape[0] // steps, steps, -1))
        spikes, potential = lif_loop(
            folded, self._value("beta"), self._value("threshold"), self._spec(steps)
        )
        spikes = ops.reshape(spikes, shape)
        index = self.announce(spikes, steps)
        if self._penalty is not None:
            self._penalty.add_to(self, index, spikes, steps)
        if not self.return_potential:
            return spikes
        return [spikes, ops.reshape(potential, shape)]

    def _value(self, name: str) -> Any:
        if getattr(self, f"learn_{name}"):
            return ops.convert_to_tensor(getattr(self, f"{name}_weight"))
        return ops.convert_to_tensor(getattr(self, name), dtype="float32")

    def _spec(self, steps: int) -> LoopSpec:
        return LoopSpec(
            time_steps=steps,
            reset=self.reset,
            surrogate=self.surrogate,
            detach_reset=self.detach_reset,
            initial_potential=self.initial_potential,
            return_potential=self.return_potential,
            learn_beta=self.learn_beta,
            learn_threshold=self.learn_threshold,
        )

    def compute_output_spec(self, inputs: Any) -> Any:
        self.learn_steps(inputs)
        shapes = self.compute_output_shape(inputs.shape)
        if not self.return_potential:
            return keras.KerasTensor(shapes, dtype=self.compute_dtype)
        return [keras.KerasTensor(s, dtype=self.compute_dtype) for s in shapes]

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = tuple(input_shape)
        return [shape, shape] if self.return_potential else shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            {
                "beta": self.beta,
                "threshold": self.threshold,
                "reset": self.reset,
                "surrogate": surrogates.serialize(self.surrogate),
                "detach_reset": self.detach_reset,
                "learn_beta": self.learn_beta,
                "learn_threshold": self.learn_threshold,
                "initial_potential": self.initial_potential,
                "return_potential": self.return_potential,
                "fan_out": None if self.fan_out is None else self.fan_out.tolist(),
            }
        )
        if self._penalty is not None:
            config["penalty"] = keras.saving.serialize_keras_object(self._penalty)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LIF:
        config = dict(config)
        penalty = config.pop("penalty", None)
        layer = cls(**config)
        if penalty is not None:
            layer.bind_penalty(keras.saving.deserialize_keras_object(penalty))
        return layer

    @property
    def penalty(self) -> Any:
        """The `SpikePenalty` that `penalize` put on this layer, or `None`."""
        return None if self._penalty is None else self._penalty.penalty

    @property
    def bound_penalty(self) -> Any:
        """The penalty together with the places where it weighs this layer's spikes."""
        return self._penalty

    def bind_penalty(self, bound: Any) -> None:
        """Sets or removes (`None`) the penalty; users call `penalize` instead."""
        self._penalty = bound
        if self.built:
            self.penalty_weight.assign(0.0 if bound is None else bound.penalty.weight)


def lif_layers(model: Any) -> list[Any]:
    """All `LIF` layers of a model, at any depth."""
    return timeline.spiking_layers(model)


def _fan_out(value: Any) -> np.ndarray | None:
    if value is None:
        return None
    array = np.asarray(value, "float64")
    if not np.all(np.isfinite(array)) or np.any(array < 0):
        raise ValueError(
            "`fan_out` must be a finite number of at least 0, or an array of such "
            f"numbers. Received: fan_out={value!r}."
        )
    return array
