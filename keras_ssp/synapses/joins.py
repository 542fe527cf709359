"""How events pass through layers that pool them or bring several tensors together."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from keras_ssp.graph import Call
from keras_ssp.synapses.copies import as_layer, sizes_in
from keras_ssp.synapses.registry import RULES, Rule, register_route
from keras_ssp.synapses.routes import (
    TapsByInput,
    no_path,
    per_axis,
    scaled,
    unbroadcast,
)
from keras_ssp.synapses.taps import Tap, compact
from keras_ssp.synapses.windows import incidence, spatial_axes
from keras_ssp.types import Array

# --- pooling ------------------------------------------------------------------------


@register_route(
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    "ops.AveragePool",
)
def _average_pooling(call: Call, tap: Tap, output: int) -> TapsByInput:
    """A spike is an event at every synapse that its pooled cells feed."""
    no_path(call, tap)

    def matrix(k: int, n: int) -> Array:
        return incidence(n, *windows(call, k))

    weight = per_axis(call, tap.weight, tap.size, matrix)
    return [[Tap(compact(weight), sizes_in(call))]]


@register_route(
    layers.AdaptiveAveragePooling1D,
    layers.AdaptiveAveragePooling2D,
    layers.AdaptiveAveragePooling3D,
    "ops.AdaptiveAveragePool",
)
def _adaptive_average(call: Call, tap: Tap, output: int) -> TapsByInput:
    """The same, with windows that share an axis out as evenly as they can."""
    no_path(call, tap)
    axes = spatial_axes(call)

    def matrix(k: int, n: int) -> Array:
        cells = tap.size[axes[k]]
        reads = np.zeros((cells, n))
        for cell in range(cells):
            reads[cell, cell * n // cells : -(-(cell + 1) * n // cells)] = 1.0
        return reads

    return [
        [Tap(compact(per_axis(call, tap.weight, tap.size, matrix)), sizes_in(call))]
    ]


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
    layers.AdaptiveMaxPooling1D,
    layers.AdaptiveMaxPooling2D,
    layers.AdaptiveMaxPooling3D,
    "ops.MaxPool",
    "ops.AdaptiveMaxPool",
    binary=True,
)
def max_pooling(call: Call, tap: Tap, output: int) -> TapsByInput:
    """Events are those that leave the pool."""
    # Not linear: events are those that leave the pool, so the tap stays after it.
    return [[Tap(tap.weight, tap.size, (_as_pool(call), *tap.path))]]


def _as_pool(call: Call) -> keras.layers.Layer:
    pool = call.layer
    if type(pool).__name__ != "MaxPool":
        return as_layer(call)
    classes = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
    return classes[len(call.inputs[0].features) - 2](
        pool.pool_size,
        strides=pool.strides,
        padding=pool.padding,
        data_format=pool.data_format,
        name=str(pool.name),
    )


# --- several inputs -----------------------------------------------------------------


def windows(call: Call, k: int) -> tuple[int, int, str]:
    """Size, stride and padding of a pool along its k-th spatial axis."""
    pool = call.layer
    size = pool.pool_size
    stride = size if pool.strides is None else pool.strides
    return (
        size[k] if isinstance(size, (tuple, list)) else size,
        stride[k] if isinstance(stride, (tuple, list)) else stride,
        pool.padding,
    )


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
        [Tap(compact(unbroadcast(call, tap, k)), sizes_in(call, k))]
        for k in range(len(call.inputs))
    ]


@register_route(layers.Concatenate, "ops.Concatenate", elementwise=True, binary=True)
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


# --- gates --------------------------------------------------------------------------


def _joined(call: Call, tap: Tap, output: int) -> TapsByInput:
    """Only asked where it is no gate: a maximum with a constant, for instance."""
    raise ValueError(
        f"Layer '{call.name}' compares spikes with a constant, which cannot be "
        "counted. Remedy: leave it out: spikes are 0 or 1."
    )


_PRODUCT = Rule("route", scaled, elementwise=True, gate=True)
_EXTREME = Rule("route", _joined, elementwise=True, gate=True)
RULES.add((layers.Multiply, "ops.Multiply"), _PRODUCT)
RULES.add((layers.Maximum, layers.Minimum, "ops.Maximum", "ops.Minimum"), _EXTREME)
register_route(
    "ops.TrueDivide", "ops.Divide", "ops.Negative", rule=scaled, elementwise=True
)
