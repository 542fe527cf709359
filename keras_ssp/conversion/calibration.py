"""A start from data: every spiking layer of a fresh network fires."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from keras_ssp import graph as graph_lib
from keras_ssp._checks import positive_int, real
from keras_ssp.conversion.batch_norm import is_batch_norm
from keras_ssp.conversion.canonical import CHANNELWISE, NOTHING_AT_INFERENCE
from keras_ssp.conversion.linear import LinearWeights, channel_axis, is_linear_layer
from keras_ssp.datasets.inputs import first_inputs
from keras_ssp.graph import Call, Edge, Graph, timeline
from keras_ssp.graph.keras_private import require_model
from keras_ssp.graph.values import Values
from keras_ssp.layers import DirectEncoding
from keras_ssp.types import Array, Data

# What a current may pass between the weights and the neurons.
_PASSED = (DirectEncoding, *CHANNELWISE, *NOTHING_AT_INFERENCE)


def calibrate(
    model: keras.Model,
    x: Data,
    *,
    mean: float = 0.5,
    deviation: float = 1.0,
    batch_size: int = 256,
) -> dict[str, float]:
    """Scales the weights of a network not yet trained so that every layer fires.

    Keras' initialisers keep the size of activations that are centred on 0. Spikes are
    0 or 1, and their currents shrink from layer to layer, until nothing reaches the
    threshold. One pass over one batch, from the first layer to the last, sets for
    each spiking layer with threshold theta and current `c`

        mean of c per channel         = mean * theta
        deviation of c within them    = deviation * theta

    by scaling the kernel of the Dense or convolution layer before it and shifting its
    bias. Where a `BatchNormalization` lies between, its `gamma` and `beta` are set
    instead, and its moving statistics to those of the batch. The network stays a
    plain one: nothing is added to it, and the file it is saved to is as before.

    A trained network would be another one after it; for that there is
    `keras_ssp.convert`.

    Args:
        model: Built Sequential or Functional model with spiking layers. Changed in
            place.
        x: Inputs like those of the training, as for `keras_ssp.energy_report`; the
            first batch is read.
        mean: Float, in thresholds. Defaults to 0.5.
        deviation: Positive float, in thresholds. Defaults to 1, with which about 30 %
            of the neurons fire at a step.
        batch_size: Positive integer, rows that are read. Defaults to 256.

    Returns:
        The firing rate (spikes per neuron and step) of each spiking layer on the
        batch, a dict by name.

    Warns:
        UserWarning: Of layers that were left as they are: their current is a sum of
            several layers' or does not vary, or the layer that makes it makes others
            too, has an activation, or is of a type not known.

    Raises:
        ValueError: If `model` has no graph or no spiking layers, or the arguments or
            data are not as above.

    Example:

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(64), LIF(),
    ...     keras.layers.Dense(64), LIF(name="last"), keras.layers.Dense(2)])
    >>> x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
    >>> rates = calibrate(model, x)
    >>> 0.25 < rates["last"] < 0.35
    True

    Source: D. Mishkin and J. Matas, "All you need is a good init" (arXiv 1511.06422),
    with thresholds as the unit and a mean that is not 0. What it gains is measured in
    docs/results/defaults.md.
    """
    if not timeline.spiking_layers(require_model(model)):
        raise ValueError(
            "`model` must have spiking layers to calibrate. Received: "
            f"model={model.name!r}, which has none."
        )
    wanted = _Wanted(real("mean", mean), real("deviation", deviation, above=0.0))
    graph = graph_lib.trace(model)
    first = first_inputs(x, model, positive_int("batch_size", batch_size))
    values = Values(
        graph, [ops.convert_to_tensor(t) for t in keras.tree.flatten(first)]
    )
    rates: dict[str, float] = {}
    left: list[str] = []
    for call in graph.calls:
        if timeline.role(call.layer) == "spiking":
            if not wanted.give(call, graph, values):
                left.append(call.name)
            rates[call.name] = float(np.mean(values.of(call.outputs[0])))
    if left:
        names = ", ".join(f"'{name}'" for name in left)
        warnings.warn(
            f"Left as they are: {names}. The current of such a layer is not that of "
            "one Dense, convolution or BatchNormalization layer that feeds it alone, "
            "or it does not vary on `x`.",
            stacklevel=2,
        )
    return rates


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """Mean and deviation of a current, in thresholds."""

    mean: float
    deviation: float

    def give(self, neurons: Call, graph: Graph, values: Values) -> bool:
        """Gives them to the current of a spiking layer, if one layer makes it."""
        threshold = neurons.layer.mean_threshold()
        theta = 1.0 if threshold is None else threshold
        source = _source(neurons.inputs[0], graph)
        if source is None:
            return False
        if is_batch_norm(source.layer):
            made = self._normalise(source, theta, values)
        else:
            made = self._scale(source, neurons.inputs[0], theta, values)
        values.forget(source.outputs[0])
        return made

    def _scale(self, source: Call, edge: Edge, theta: float, values: Values) -> bool:
        current = values.of(edge)
        axis = 1 + channel_axis(source.layer, current.ndim - 1)
        means, spread = _statistics(current, axis)
        if not math.isfinite(spread) or spread == 0.0:
            return False
        scale = np.array(self.deviation * theta / spread)
        weights = LinearWeights.of(source.layer).scaled_output(scale)
        if weights.bias is not None:
            weights = weights.shifted(self.mean * theta - scale * means)
        weights.put_into(source.layer)
        return True

    def _normalise(self, source: Call, theta: float, values: Values) -> bool:
        norm = source.layer
        inputs = values.of(source.inputs[0])
        axes = tuple(k for k in range(inputs.ndim) if k != norm.axis % inputs.ndim)
        norm.moving_mean.assign(inputs.mean(axes))
        norm.moving_variance.assign(inputs.var(axes))
        if not (norm.scale and norm.center):
            return False
        norm.gamma.assign(np.full(norm.gamma.shape, self.deviation * theta))
        norm.beta.assign(np.full(norm.beta.shape, self.mean * theta))
        return True


def _statistics(current: Array, axis: int) -> tuple[Array, float]:
    """Mean of each channel, and the deviation within channels, pooled."""
    axes = tuple(k for k in range(current.ndim) if k != axis)
    means = current.mean(axes, keepdims=True)
    return means.squeeze(axes), float((current - means).std())


def _source(edge: Edge, graph: Graph) -> Call | None:
    """The one layer whose channels the current of `edge` has, if there is one."""
    producers, consumers = graph.producers(), graph.consumers()
    for call in _above(edge, producers):
        times = sum(other.layer is call.layer for other in graph.calls)
        if times > 1 or any(len(consumers.get(e, ())) > 1 for e in call.outputs):
            return None
        if is_batch_norm(call.layer):
            return call
        if is_linear_layer(call.layer):
            linear = call.layer.activation is keras.activations.linear
            return call if linear else None
        if type(call.layer) not in _PASSED:
            return None
    return None


def _above(edge: Edge, producers: dict[Edge, tuple[Call, int]]) -> Iterator[Call]:
    """The calls above an edge, one after the other, while each reads one tensor."""
    while edge in producers:
        call = producers[edge][0]
        yield call
        if len(call.inputs) != 1:
            return
        edge = call.inputs[0]
