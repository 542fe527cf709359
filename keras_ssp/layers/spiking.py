"""What all spiking neurons share; a neuron adds its equations and its arguments.

A neuron is one file: a `Dynamics` (one step forward, one step backward) and a
`SpikingLayer` that says how its arguments make one. `lif.py` is the first.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_ssp import graph
from keras_ssp._checks import boolean, shown
from keras_ssp.kernels import (
    Dynamics,
    LoopSpec,
    constant,
    loop_dtype,
    run_loop,
)
from keras_ssp.layers.padding import real_steps_first
from keras_ssp.layers.penalty_carrier import PenaltyCarrier
from keras_ssp.layers.source import given, made_of
from keras_ssp.layers.timed import require_features
from keras_ssp.layers.watch import SpikeWatch
from keras_ssp.surrogates import Surrogate
from keras_ssp.types import Array, Config, Shape, Sizes, Tensor, TensorLike


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


class SpikingLayer(PenaltyCarrier):
    """Base of all spiking neurons.

    A subclass takes its own arguments, keeps each as an attribute of the same name,
    and makes its `Dynamics` of them. For each parameter of the dynamics there is an
    attribute with its value; where there is an attribute `learn_<parameter>` that is
    true, the parameter is a trainable weight that starts from that value.

    Time is folded into the batch, batch-major: row `b * T + t` is sample `b` at
    step `t`. Spikes are counted by `energy_report` and weighed by the penalty that
    `penalize` puts on the layer; saving, loading and cloning keep both. `fit` warns,
    once, of a layer that was silent, or saturated (a rate of 0.95 or more), in all
    training batches of an epoch.

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
        self.return_potential = boolean("return_potential", return_potential)
        self.fan_out = _fan_out(fan_out)
        self.supports_jit = True
        self.supports_masking = True
        self.feature_shape: Sizes | None = None
        self.watch = SpikeWatch(self)

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
        self.add_penalty_weight()
        self.rates_seen = self.watch.variable()

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
            dtype=loop_dtype(self.variable_dtype),
            autocast=False,
        )

    def parameter(self, name: str) -> Tensor:
        """A parameter of the dynamics as a tensor, in the dtype of the time loop."""
        weight = getattr(self, f"{name}_weight", None)
        if weight is not None:
            return ops.convert_to_tensor(weight)
        dtype = loop_dtype(self.compute_dtype)
        return constant(getattr(self, name), dtype)

    def mean_threshold(self) -> float | None:
        """The threshold as a number, `None` where the dynamics have none."""
        if "threshold" not in self.dynamics().parameters:
            return None
        return float(np.mean(ops.convert_to_numpy(self.parameter("threshold"))))

    def call(
        self, inputs: Tensor, training: bool | None = None
    ) -> Tensor | list[Tensor]:
        call = graph.call_state()
        steps = self.running_steps(inputs, call)
        dynamics = self.dynamics()
        placed = self.placed_penalty(call)
        padded = call.valid is not None and steps > 1
        weights = None if placed is None or padded else placed.loop_weights()
        # Compiled loops are kept by the spec: the same arguments, the same loop.
        spec = LoopSpec(
            dynamics=dynamics,
            time_steps=steps,
            record=(dynamics.state.index("potential"),) * self.return_potential,
            learned=tuple(map(self.learns, dynamics.parameters)),
            only_fired=placed is not None and weights is not None and placed.only_fired,
        )
        read = given(inputs, steps) if padded else made_of(call, inputs, steps)
        x, restore = read.x, None
        if padded:
            valid = ops.reshape(call.valid, (read.rows // steps, steps))
            x, restore = real_steps_first(x, valid)
        parameters = tuple(map(self.parameter, dynamics.parameters))
        found = run_loop(x, parameters, spec, weights, read.affine)
        inlet = None
        if weights is not None:
            found, inlet = found[:-1], found[-1]
        if restore is not None:
            found = tuple(map(restore, found))
        shape = (read.rows, *ops.shape(inputs)[1:])
        outputs = [ops.reshape(y, shape) for y in found]
        self.emit(outputs[0], steps, call, placed, inlet)
        # Not where `keras.RematScope` has made a tensor of it.
        if isinstance(training, bool) and training:
            self.watch.see(outputs[0])
        return outputs if self.return_potential else outputs[0]

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor = None) -> Any:
        return [previous_mask] * 2 if self.return_potential else previous_mask

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
        return config


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


def _fan_out(value: TensorLike | None) -> Array | None:
    if value is None:
        return None
    array = np.asarray(0.0)
    try:
        given = np.asarray(value)
        right = given.dtype.kind in "iuf"
        array = given.astype("float64") if right else array
    except (TypeError, ValueError, OverflowError):
        right = False
    if not right or not np.all(np.isfinite(array)) or np.any(array < 0):
        raise ValueError(
            "`fan_out` must be a finite number of at least 0, or an array of such "
            f"numbers. Received: fan_out={shown(value)}."
        )
    return array
