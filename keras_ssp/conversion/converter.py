"""Turns a canonical network into spiking layers, scale by scale.

Every tensor of the new network carries a scale: the value in the original network is
`scale * rate` of it. Neurons have threshold 1 and spikes have size 1, so the scale
of a neuron's output is its threshold in the original network, and a linear layer
takes in the scales before and after it:

    kernel' = kernel * scale_before / scale_after,   bias' = bias / scale_after
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from keras import layers, ops

from keras_ssp.conversion.canonical import (
    CHANNELWISE,
    GLOBAL_POOLS,
    PREPROCESSING,
    RESHAPING,
    is_neuron,
    is_sum,
)
from keras_ssp.conversion.linear import LinearWeights, channel_axis, is_linear_layer
from keras_ssp.graph import Call, Edge, Graph
from keras_ssp.graph.rebuild import UniqueNames, copy_layer, replay
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from keras_ssp.synapses.taps import compact, full
from keras_ssp.types import Array, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class ScaledTensor:
    """A tensor of the spiking network.

    Args:
        tensor: The symbolic tensor.
        scale: What its time average is multiplied with to give the original value;
            broadcasts against the features, axes along which it is equal have size 1.
        folded: Whether time is folded into its batch.
    """

    tensor: Tensor
    scale: Array
    folded: bool = False

    @classmethod
    def plain(cls, tensor: Tensor) -> ScaledTensor:
        """A tensor that holds the original value itself."""
        return cls(tensor, _uniform(tensor, 1.0))


class SpikingConverter:
    """Builds the spiking network; `visit` takes one call of the canonical one.

    Args:
        graph: The canonical network.
        names: Gives names to new layers.
        thresholds: Name of each activation to its neurons' threshold.
        time_steps: T.
        initial_potential: In units of the threshold.
    """

    def __init__(
        self,
        graph: Graph,
        names: UniqueNames,
        thresholds: dict[str, float],
        time_steps: int,
        initial_potential: float,
    ) -> None:
        self.readers = graph.consumers()
        self.names = names
        self.thresholds = thresholds
        self.time_steps = time_steps
        self.initial_potential = initial_potential
        self._encoded: dict[int, ScaledTensor] = {}

    def visit(self, call: Call, inputs: list[ScaledTensor]) -> list[ScaledTensor]:
        """The values of a call's outputs, from those of its inputs."""
        layer = call.layer
        if is_neuron(layer):
            return [self._neuron(call, inputs[0])]
        if is_linear_layer(layer):
            return [self._linear(call, inputs[0])]
        if is_sum(layer):
            return [self._sum(call, self._all_folded_or_none(inputs))]
        if type(layer) is layers.Concatenate:
            return [self._concatenate(call, self._all_folded_or_none(inputs))]
        if type(layer) in PREPROCESSING:
            return [self._preprocessing(call, inputs[0])]
        if type(layer) in (*CHANNELWISE, *RESHAPING):
            return [self._moved(call, inputs[0])]
        # An activation that only the model's output reads.
        return [ScaledTensor.plain(self._replay(call, [self.read(inputs[0])]))]

    def read(self, value: ScaledTensor) -> ScaledTensor:
        """The original value: the mean over time, times the scale."""
        tensor = value.tensor
        if value.folded:
            tensor = RateReadout(name=self.names("readout"))(tensor)
        ready = dataclasses.replace(value, tensor=tensor, folded=False)
        return self._rescaled(ready, 1.0, "readout_scale")

    def _neuron(self, call: Call, value: ScaledTensor) -> ScaledTensor:
        threshold = self.thresholds[call.name]
        value = self._rescaled(self._encode(value), threshold, f"{call.name}_scale")
        spikes = LIF(
            beta=1.0,
            threshold=1.0,
            reset="soft",
            initial_potential=self.initial_potential,
            name=self.names(call.name),
            dtype=getattr(call.layer, "dtype_policy", None),
        )(value.tensor)
        return ScaledTensor(spikes, _uniform(spikes, threshold), folded=True)

    def _linear(self, call: Call, value: ScaledTensor) -> ScaledTensor:
        axis = channel_axis(call.layer, value.scale.ndim)
        self._check_channels(call, value, axis)
        # In units of the threshold of the neurons that read it: theirs is then 1. What
        # only the model's output reads keeps its own units.
        scale = self._target(call.outputs[0]) or 1.0
        layer = copy_layer(call, self.names(call.name))
        y = layer(value.tensor)
        weights = LinearWeights.of(call.layer).scaled_input(value.scale.ravel())
        weights.scaled_output(np.array([1.0 / scale])).put_into(layer)
        return ScaledTensor(y, _uniform(y, scale), value.folded)

    def _sum(self, call: Call, values: Sequence[ScaledTensor]) -> ScaledTensor:
        # Without neurons after the sum, the largest scale keeps every term at most 1.
        largest = max(float(value.scale.max()) for value in values)
        scale = self._target(call.outputs[0]) or largest
        added = [self._rescaled(v, scale, f"{call.name}_scale").tensor for v in values]
        y = layers.Add(name=self.names(call.name))(added)
        return ScaledTensor(y, _uniform(y, scale), values[0].folded)

    def _concatenate(self, call: Call, values: Sequence[ScaledTensor]) -> ScaledTensor:
        y = self._replay(call, values)
        # Scales are joined like the tensors: written out along the joined axis, along
        # the others only as far as they differ.
        axis = call.layer.axis % len(y.shape) - 1
        shape = np.broadcast_shapes(*(_without(v.scale.shape, axis) for v in values))
        parts = []
        for value in values:
            n = int(value.tensor.shape[axis + 1])
            wanted = [n if k == axis else m for k, m in enumerate(shape)]
            parts.append(np.broadcast_to(value.scale, wanted))
        scale = np.concatenate(parts, axis=axis)
        return ScaledTensor(y, compact(scale), values[0].folded)

    def _preprocessing(self, call: Call, value: ScaledTensor) -> ScaledTensor:
        if value.folded or np.any(value.scale != 1.0):
            raise ValueError(
                f"Layer '{call.name}' of type {type(call.layer).__name__} cannot be "
                "converted behind an activation or a linear layer. Remedy: put it "
                "before the first one."
            )
        return ScaledTensor.plain(self._replay(call, [value]))

    def _moved(self, call: Call, value: ScaledTensor) -> ScaledTensor:
        y = self._replay(call, [value])
        scale = value.scale
        if scale.size == 1:
            return dataclasses.replace(value, tensor=y, scale=_uniform(y, scale.item()))
        if type(call.layer) in RESHAPING:
            # The scales move exactly as the elements do.
            written = full(scale, [int(n) for n in value.tensor.shape[1:]])
            copied = copy_layer(call, f"{call.name}_scales", dtype="float32")
            moved = ops.convert_to_numpy(copied(written[None].astype("float32")))
            scale = compact(np.asarray(moved[0], "float64"))
            return dataclasses.replace(value, tensor=y, scale=scale)
        axis = channel_axis(call.layer, scale.ndim)
        self._check_channels(call, value, axis)
        if type(call.layer) in GLOBAL_POOLS and not call.layer.keepdims:
            scale = scale.ravel()
        return dataclasses.replace(value, tensor=y, scale=scale)

    def _all_folded_or_none(self, values: Sequence[ScaledTensor]) -> list[ScaledTensor]:
        if any(value.folded for value in values):
            return [self._encode(value) for value in values]
        return list(values)

    def _encode(self, value: ScaledTensor) -> ScaledTensor:
        """Repeats a tensor over time, as late as possible: only what must spike."""
        if value.folded:
            return value
        if id(value) not in self._encoded:  # what two layers read is encoded once
            encoding = DirectEncoding(self.time_steps, name=self.names("encoding"))
            y = encoding(value.tensor)
            self._encoded[id(value)] = ScaledTensor(y, value.scale, folded=True)
        return self._encoded[id(value)]

    def _rescaled(self, value: ScaledTensor, scale: float, name: str) -> ScaledTensor:
        """The same value with another scale, by a constant factor where they differ."""
        if np.all(value.scale == scale):
            return value
        factor = value.scale / scale
        constant = float(factor.item()) if factor.size == 1 else factor.tolist()
        y = layers.Rescaling(constant, name=self.names(name))(value.tensor)
        return ScaledTensor(y, _uniform(y, scale), value.folded)

    def _replay(self, call: Call, values: Sequence[ScaledTensor]) -> Tensor:
        (y,) = replay(call, [v.tensor for v in values], self.names(call.name))
        return y

    def _target(self, edge: Edge) -> float | None:
        """The threshold of the first neurons that a tensor reaches without weights."""
        for call in self.readers.get(edge, []):
            if is_neuron(call.layer):
                return self.thresholds[call.name]
            if not is_linear_layer(call.layer):
                found = self._target(call.outputs[0])
                if found is not None:
                    return found
        return None

    def _check_channels(self, call: Call, value: ScaledTensor, axis: int) -> None:
        if math.prod(_without(value.scale.shape, axis)) != 1:
            raise ValueError(
                f"Layer '{call.name}' of type {type(call.layer).__name__} cannot be "
                "converted: its input joins activations with different thresholds "
                "along another axis than its channels. Remedy: concatenate channels."
            )


def _uniform(tensor: Tensor, scale: float) -> Array:
    return np.full((1,) * (len(tensor.shape) - 1), float(scale))


def _without(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return tuple(1 if k == axis else n for k, n in enumerate(shape))
