"""What all spiking neurons share; a neuron adds its equations and its arguments.

A neuron is one file: a `Dynamics` (one step forward, one step backward) and a
`SpikingLayer` that says how its arguments make one. `lif.py` is the first.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import keras
import numpy as np
from keras import ops

from keras_ssp import graph
from keras_ssp.graph import CallState
from keras_ssp.kernels import Dynamics, LoopSpec, leaves_python, run_loop
from keras_ssp.layers.events import EventSource
from keras_ssp.layers.timed import TimedLayer, require_features
from keras_ssp.surrogates import Surrogate
from keras_ssp.types import Array, Config, Shape, Sizes, Tensor, TensorLike


class LayerPenalty(Protocol):
    """What a spiking layer asks of the penalty that was put on it."""

    @property
    def penalty(self) -> Any:
        """The `SpikePenalty` itself."""

    @property
    def weight(self) -> float:
        """lambda, as the penalty was given it."""

    def loss(
        self, index: int, spikes: Tensor, steps: int, omegas: list[Tensor]
    ) -> Tensor | None:
        """The loss, without lambda, that one call of the layer is to add, if any."""


@keras.saving.register_keras_serializable(package="keras_ssp")
class Range(keras.constraints.Constraint):
    """Keeps a learned parameter within `[low, high]`.

    Args:
        low: Its least value.
        high: Its largest value, `None` for no bound.
    """

    def __init__(self, low: float, high: float | None = None) -> None:
        self.low = low
        self.high = high

    def __call__(self, w: Tensor) -> Tensor:
        w = ops.maximum(w, self.low)
        return w if self.high is None else ops.minimum(w, self.high)

    def get_config(self) -> Config:
        return {"low": self.low, "high": self.high}


class SpikingLayer(EventSource, TimedLayer):
    """Base of all spiking neurons.

    A subclass takes its own arguments, keeps each as an attribute of the same name,
    and makes its `Dynamics` of them. For each parameter of the dynamics there is an
    attribute with its value; where there is an attribute `learn_<parameter>` that is
    true, the parameter is a trainable weight that starts from that value.

    Time is folded into the batch, batch-major: row `b * T + t` is sample `b` at
    step `t`. Spikes are counted by `energy_report` and weighed by the penalty that
    `penalize` puts on the layer; saving, loading and cloning keep both.

    Args:
        return_potential: Whether the layer returns `[spikes, potential]`, the
            potential after the reset, instead of spikes. Defaults to `False`.
        time_steps: Positive integer T, or `None` to learn it from the model.
        fan_out: Synapses that each neuron's spike drives, a number or an array
            that broadcasts against the features. Needed in subclassed models,
            which have no graph to read; elsewhere it replaces what is counted.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch * T, ...)`. Output shape: the same; a list of two such
    tensors with `return_potential=True`.

    Raises:
        ValueError: If `fan_out` is negative or not finite, layers disagree on T, or T
            cannot be known.
    """

    time_role = "spiking"
    #: The name that the type of neuron is registered by, such as `"lif"`: what the
    #: energy report shows. A class without a name has that of its base class.
    kind: ClassVar[str] = "neuron"
    #: Parameter to the range in which a learned value is kept.
    ranges: ClassVar[Mapping[str, tuple[float, float | None]]] = {}
    #: Expected mean square of what the layer hands on, after average pooling, at the
    #: rate of a fresh network; the networks of `keras_ssp.models` start from it.
    mean_square: ClassVar[float] = 0.1

    def __init__(
        self,
        *,
        return_potential: bool = False,
        time_steps: int | None = None,
        fan_out: TensorLike | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(time_steps=time_steps, **kwargs)
        self.return_potential = bool(return_potential)
        self.fan_out = _fan_out(fan_out)
        self.supports_jit = True
        self.feature_shape: Sizes | None = None
        self._penalty: LayerPenalty | None = None

    def dynamics(self) -> Dynamics:
        """The neuron's equations, as its arguments make them."""
        raise NotImplementedError(
            f"{type(self).__name__} must have a method `dynamics` that returns its "
            "`keras_ssp.kernels.Dynamics`."
        )

    def build(self, input_shape: Shape) -> None:
        require_features(self, input_shape)
        sizes = tuple(n for n in tuple(input_shape)[1:] if n is not None)
        self.feature_shape = sizes if len(sizes) == len(input_shape) - 1 else None
        # Weights only where learned: a fixed value costs no variable.
        for name in self.dynamics().parameters:
            if self.learns(name):
                setattr(self, f"{name}_weight", self.parameter_weight(name))
        # lambda lives in a weight, so that a schedule, a controller or a tuner can
        # move it without tracing the model again. Always there, so that adding a
        # penalty never changes the list of weights.
        self.penalty_weight = self.add_weight(
            name="penalty_weight",
            shape=(),
            initializer=keras.initializers.Constant(_lambda(self._penalty)),
            trainable=False,
            dtype="float32",
            autocast=False,
        )

    def learns(self, parameter: str) -> bool:
        """Whether a parameter of the dynamics is a trainable weight."""
        return bool(getattr(self, f"learn_{parameter}", False))

    def synaptic_weights(self) -> list[keras.Variable]:
        """Weights that connect neurons with each other, such as recurrent ones.

        All that do not broadcast against the features: a number per neuron, or one
        for all, describes neurons and is no synapse.
        """
        sizes = self.feature_shape or ()
        return [w for w in self.weights if not _broadcasts(w.shape, sizes)]

    def parameter_weight(self, name: str) -> keras.Variable:
        """Makes the trainable weight of a learned parameter: one number for all.

        A neuron with a number per neuron, or a matrix, makes it here; `parameter` then
        hands it to the loop as a scalar, `(neurons,)` or `(neurons, neurons)`.
        """
        low, high = self.ranges.get(name, (-math.inf, None))
        bounded = high is not None or low > -math.inf
        return self.add_weight(
            name=name,
            shape=(),
            initializer=keras.initializers.Constant(getattr(self, name)),
            constraint=Range(low, high) if bounded else None,
            dtype="float32",
            autocast=False,
        )

    def parameter(self, name: str) -> Tensor:
        """A parameter of the dynamics as a float32 tensor."""
        weight = getattr(self, f"{name}_weight", None)
        if weight is not None:
            return ops.convert_to_tensor(weight)
        return ops.convert_to_tensor(getattr(self, name), dtype="float32")

    def call(self, inputs: Tensor) -> Tensor | list[Tensor]:
        call = graph.call_state()
        steps = self.running_steps(inputs, call)
        dynamics = self.dynamics()
        # Compiled loops are kept by the spec: the same arguments, the same loop.
        spec = LoopSpec(
            dynamics=dynamics,
            time_steps=steps,
            record=(dynamics.state.index("potential"),) * self.return_potential,
            learned=tuple(map(self.learns, dynamics.parameters)),
        )
        shape = ops.shape(inputs)
        # Neurons on one axis: the loop does not care for their arrangement.
        folded = ops.reshape(inputs, (shape[0] // steps, steps, -1))
        parameters = tuple(map(self.parameter, dynamics.parameters))
        outputs = [ops.reshape(y, shape) for y in run_loop(folded, parameters, spec)]
        self._emit(outputs[0], steps, call)
        return outputs if self.return_potential else outputs[0]

    def _emit(self, spikes: Tensor, steps: int, call: CallState) -> None:
        """Tells who listens of the spikes, and adds the penalty on them to the loss."""
        index = self.announce(spikes, steps, call)
        if self._penalty is None or leaves_python():
            return
        loss = self._penalty.loss(index, spikes, steps, call.omegas)
        if loss is not None:
            self.add_loss(self.penalty_weight * call.with_cleared(self, loss))

    def compute_output_spec(self, inputs: Tensor) -> Tensor | list[Tensor]:
        self.learn_steps(inputs)
        shapes = self.compute_output_shape(inputs.shape)
        if not self.return_potential:
            return keras.KerasTensor(shapes, dtype=self.compute_dtype)
        return [keras.KerasTensor(s, dtype=self.compute_dtype) for s in shapes]

    def compute_output_shape(self, input_shape: Shape) -> Shape | list[Shape]:
        shape = tuple(input_shape)
        return [shape, shape] if self.return_potential else shape

    def get_config(self) -> Config:
        config: Config = super().get_config()
        for name in neuron_arguments(type(self)):
            value = getattr(self, name)
            if isinstance(value, Surrogate):
                value = keras.saving.serialize_keras_object(value)
            config[name] = value
        config["return_potential"] = self.return_potential
        config["fan_out"] = None if self.fan_out is None else self.fan_out.tolist()
        if self._penalty is not None:
            config["penalty"] = keras.saving.serialize_keras_object(self._penalty)
        return config

    @classmethod
    def from_config(cls, config: Config) -> SpikingLayer:
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
    def bound_penalty(self) -> LayerPenalty | None:
        """The penalty together with the places where it weighs this layer's spikes."""
        return self._penalty

    def bind_penalty(self, bound: LayerPenalty | None) -> None:
        """Sets or removes (`None`) the penalty; users call `penalize` instead."""
        self._penalty = bound
        if self.built:
            self.penalty_weight.assign(_lambda(bound))


def neuron_arguments(cls: type[SpikingLayer]) -> tuple[str, ...]:
    """Names of the arguments that describe a neuron.

    Those that every spiking layer takes, and every Keras layer, are left out.

    Example:

    >>> neuron_arguments(LIF)[:4]
    ('beta', 'threshold', 'reset', 'surrogate')
    """
    found: dict[str, None] = {}
    for base in cls.__mro__[: cls.__mro__.index(SpikingLayer)]:
        parameters = inspect.signature(base).parameters.values()
        named = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        found.update(dict.fromkeys(named))
    shared = inspect.signature(SpikingLayer).parameters
    keras_own = inspect.signature(keras.layers.Layer).parameters
    return tuple(name for name in found if name not in {*shared, *keras_own})


def _broadcasts(shape: Shape, sizes: Sizes) -> bool:
    aligned = zip(reversed(shape), reversed(sizes), strict=False)
    return len(shape) <= len(sizes) and all(n in (1, m) for n, m in aligned)


def _lambda(penalty: LayerPenalty | None) -> float:
    return 0.0 if penalty is None else penalty.weight


def _fan_out(value: TensorLike | None) -> Array | None:
    if value is None:
        return None
    array = np.asarray(value, "float64")
    if not np.all(np.isfinite(array)) or np.any(array < 0):
        raise ValueError(
            "`fan_out` must be a finite number of at least 0, or an array of such "
            f"numbers. Received: fan_out={value!r}."
        )
    return array
