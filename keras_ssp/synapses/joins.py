"""How events pass through layers that pool them or bring several tensors together."""

from __future__ import annotations

import numpy as np
from keras import layers

from keras_ssp.graph import Call
from keras_ssp.synapses.registry import register_route
from keras_ssp.synapses.routes import TapsByInput, no_path, per_axis, sizes_in
from keras_ssp.synapses.taps import Tap, compact
from keras_ssp.synapses.windows import incidence, spatial_axes
from keras_ssp.types import Array

# --- pooling ------------------------------------------------------------------------


@register_route(
    layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D
)
def _average_pooling(call: Call, tap: Tap, output: int) -> TapsByInput:
    """A spike is an event at every synapse that its pooled cells feed."""
    no_path(call, tap)
    pool = call.layer

    def matrix(k: int, n: int) -> Array:
        return incidence(n, pool.pool_size[k], pool.strides[k], pool.padding)

    weight = per_axis(call, tap.weight, tap.size, matrix)
    return [[Tap(compact(weight), sizes_in(call))]]


@register_route(
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
)
def _global_average(call: Call, tap: Tap, output: int) -> TapsByInput:
    """A spike is an event at every synapse that its channel feeds."""
    no_path(call, tap)
    weight = tap.weight
    if not call.layer.keepdims:
        for axis in spatial_axes(call):
            weight = np.expand_dims(weight, axis)
    return [[Tap(compact(weight), sizes_in(call))]]


@register_route(
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)
def _max_pooling(call: Call, tap: Tap, output: int) -> TapsByInput:
    """Events are those that leave the pool."""
    # Not linear: events are those that leave the pool, so the tap stays after it.
    return [[Tap(tap.weight, tap.size, (call.layer, *tap.path))]]


# --- several inputs -----------------------------------------------------------------


@register_route(layers.Add, layers.Subtract, layers.Average, "ops.Add", "ops.Subtract")
def _add(call: Call, tap: Tap, output: int) -> TapsByInput:
    """Two spikes at one place are two events: each source has the weights."""
    no_path(call, tap)
    if len(call.inputs) < 2:
        raise ValueError(
            f"Layer '{call.name}' adds a constant to spikes, which makes them "
            "analogue values. Remedy: add it after the synapse, as a bias."
        )
    return [
        [Tap(compact(_unbroadcast(call, tap, k)), sizes_in(call, k))]
        for k in range(len(call.inputs))
    ]


def _unbroadcast(call: Call, tap: Tap, k: int) -> Array:
    """Weights over an input that was broadcast: an event for each copy."""
    size = sizes_in(call, k)
    weight = tap.weight
    aligned = (1,) * (weight.ndim - len(size)) + size
    for axis, n in enumerate(aligned):
        if n == 1 and tap.size[axis] > 1:  # one event, read at every position
            weight = weight.repeat(tap.size[axis] // weight.shape[axis], axis=axis)
            weight = weight.sum(axis=axis, keepdims=True)
    return weight.reshape(weight.shape[weight.ndim - len(size) :])


@register_route(layers.Concatenate, "ops.Concatenate", elementwise=True)
def _concatenate(call: Call, tap: Tap, output: int) -> TapsByInput:
    """Each input has the weights of its own part."""
    rank = len(call.outputs[0].shape)
    axis = call.layer.axis % rank - 1
    if axis < 0:
        raise ValueError(
            f"Layer '{call.name}' concatenates along the batch axis, where time is "
            "folded. Remedy: concatenate along a feature axis."
        )
    _check_channelwise(call, tap, axis)
    pulled, start = [], 0
    for k in range(len(call.inputs)):
        size = sizes_in(call, k)
        weight, end_size = tap.weight, tap.size
        if weight.shape[axis] > 1:
            weight = weight.take(range(start, start + size[axis]), axis=axis)
        if tap.path:
            end_size = tuple(
                size[axis] if a == axis else n for a, n in enumerate(tap.size)
            )
        else:
            end_size = size
        start += size[axis]
        pulled.append([Tap(compact(weight), end_size, tap.path)])
    return pulled


def _check_channelwise(call: Call, tap: Tap, axis: int) -> None:
    # Max pooling leaves channels apart, so it may change places with a
    # concatenation of channels, and with nothing else.
    pools = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
    for layer in tap.path:
        first = getattr(layer, "data_format", None) == "channels_first"
        channels = 0 if first else len(call.outputs[0].features) - 1
        if not isinstance(layer, pools) or axis != channels:
            no_path(call, tap)
