"""How events pass through Keras layers that have no weights.

A rule draws one `Tap` on a layer's output back to its inputs. It is only asked
about tensors that carry events, so analogue stems may use these layers freely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from keras_ssp.graph import Call
from keras_ssp.synapses.registry import (
    Rule,
    register_by_arguments,
    register_route,
)
from keras_ssp.synapses.taps import Tap, compact, full
from keras_ssp.synapses.weights import incidence, is_linear, spatial_axes

Pulled = Sequence[Sequence[Tap]]
Draw = Callable[[Call, np.ndarray, tuple[int, ...]], np.ndarray]


def _size(call: Call, k: int = 0) -> tuple[int, ...]:
    return tuple(int(n or 0) for n in call.inputs[k].features)


def _linear(draw: Draw) -> Callable[[Call, Tap, int], Pulled]:
    """A route that rearranges single events; max pooling may follow behind it."""

    def rule(call: Call, tap: Tap, output: int) -> Pulled:
        if tap.path:
            return [[Tap(tap.weight, tap.size, (call.layer, *tap.path))]]
        size = _size(call)
        return [[Tap(compact(draw(call, tap.weight, tap.size)), size)]]

    return rule


def _no_path(call: Call, tap: Tap) -> None:
    if tap.path:
        raise ValueError(
            f"Layer '{call.name}' adds up or averages events in front of the max "
            f"pooling '{tap.path[0].name}': which events leave the pool can then not "
            "be told per neuron. Remedy: put the max pooling in front of "
            f"'{call.name}', or use average pooling."
        )


# --- one element in, one element out ------------------------------------------------


def _identity(call: Call, tap: Tap, output: int) -> Pulled:
    return [[tap]]


register_route(
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.Identity,
    layers.ActivityRegularization,
    layers.InputLayer,
    "ops.Cast",
    "ops.StopGradient",
    elementwise=True,
)(_identity)


@register_route(layers.BatchNormalization, elementwise=True)
def _batch_norm(call: Call, tap: Tap, output: int) -> Pulled:
    # Folded into the synapse behind it; in front of a max pool it could change
    # which value wins.
    _no_path(call, tap)
    return [[tap]]


register_by_arguments(
    layers.Activation,
    lambda layer: (
        Rule("route", _identity, elementwise=True)
        if is_linear(layer)
        else Rule("analogue")
    ),
)


def _scaling(layer: Any) -> Rule:
    shifted = np.any(np.asarray(layer.offset) != 0)
    return Rule("analogue") if shifted else Rule("route", _scaled, elementwise=True)


@register_route(
    "ops.Multiply", "ops.TrueDivide", "ops.Divide", "ops.Negative", elementwise=True
)
def _scaled(call: Call, tap: Tap, output: int) -> Pulled:
    if len(call.inputs) != 1:
        raise ValueError(
            f"Layer '{call.name}' multiplies two tensors, at least one of them "
            "spikes: only multiplication by a constant can be counted. Remedy: "
            "multiply in front of the spiking layer."
        )
    _no_path(call, tap)  # a negative factor would change which value wins
    return [[tap]]


register_by_arguments(layers.Rescaling, _scaling)
register_route(layers.Multiply)(_scaled)


@register_route(layers.Flatten, elementwise=True)
@_linear
def _flatten(call: Call, weight: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    into = _size(call)
    if weight.size == 1:
        return np.full((1,) * len(into), weight.ravel()[0])
    if call.layer.data_format == "channels_first" and len(into) > 1:
        flat = full(weight, size).reshape((*into[1:], into[0]))
        return np.moveaxis(flat, -1, 0)
    return full(weight, size).reshape(into)


@register_route(layers.Reshape, "ops.Reshape", elementwise=True)
@_linear
def _reshape(call: Call, weight: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    into = _size(call)
    if math.prod(into) != math.prod(size):
        raise ValueError(
            f"Layer '{call.name}' moves elements between the batch axis and the "
            f"features, where time is folded. Received: features {into} to {size}."
        )
    if weight.size == 1:
        return np.full((1,) * len(into), weight.ravel()[0])
    return full(weight, size).reshape(into)


@register_route(layers.Permute, elementwise=True)
@_linear
def _permute(call: Call, weight: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    return weight.transpose(np.argsort([axis - 1 for axis in call.layer.dims]))


@register_route(layers.RepeatVector)
@_linear
def _repeat(call: Call, weight: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    return full(weight, size).sum(axis=0)


def _per_axis(
    call: Call,
    weight: np.ndarray,
    size: tuple[int, ...],
    matrix: Callable[[int, int], np.ndarray],
) -> np.ndarray:
    """Draws weights back along each spatial axis with an (output, input) matrix."""
    for k, axis in enumerate(spatial_axes(call)):
        a = matrix(k, _size(call)[axis])
        if weight.shape[axis] == 1:
            weight = weight.repeat(size[axis], axis=axis)
        weight = np.moveaxis(np.tensordot(a, weight, axes=(0, axis)), 0, axis)
    return weight


def _pairs(value: Any) -> list[tuple[int, int]]:
    one_axis = not isinstance(value[0], (tuple, list))
    return [tuple(value)] if one_axis else [tuple(v) for v in value]


@register_route(
    layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D, elementwise=True
)
@_linear
def _zero_padding(call: Call, weight: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    pads = _pairs(call.layer.padding)
    return _per_axis(
        call,
        weight,
        size,
        lambda k, n: np.eye(pads[k][0] + n + pads[k][1], n, -pads[k][0]),
    )


@register_route(
    layers.Cropping1D, layers.Cropping2D, layers.Cropping3D, elementwise=True
)
@_linear
def _cropping(call: Call, weight: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    cuts = _pairs(call.layer.cropping)
    return _per_axis(
        call, weight, size, lambda k, n: np.eye(n - sum(cuts[k]), n, cuts[k][0])
    )


@register_route(
    layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D, elementwise=True
)
def _up_sampling(call: Call, tap: Tap, output: int) -> Pulled:
    if getattr(call.layer, "interpolation", "nearest") != "nearest":
        _no_path(call, tap)  # it averages
    return _linear(_up_sampled)(call, tap, output)


def _up_sampled(call: Call, weight: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    factors = call.layer.size
    factors = (factors,) if isinstance(factors, int) else tuple(factors)
    mode = getattr(call.layer, "interpolation", "nearest")

    def matrix(k: int, n: int) -> np.ndarray:
        if mode == "nearest":
            return np.eye(n).repeat(factors[k], axis=0)
        # Measured: which outputs a one-hot input reaches under this interpolation.
        image = ops.reshape(ops.eye(n, dtype="float32"), (n, n, 1, 1))
        image = ops.image.resize(
            image, (n * factors[k], 1), interpolation=mode, data_format="channels_last"
        )
        reached = ops.convert_to_numpy(image)[:, :, 0, 0] != 0
        return np.asarray(reached.T, "float64")

    return _per_axis(call, weight, size, matrix)


# --- pooling ------------------------------------------------------------------------


@register_route(
    layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D
)
def _average_pooling(call: Call, tap: Tap, output: int) -> Pulled:
    _no_path(call, tap)
    pool = call.layer

    def matrix(k: int, n: int) -> np.ndarray:
        return incidence(n, pool.pool_size[k], pool.strides[k], pool.padding)

    weight = _per_axis(call, tap.weight, tap.size, matrix)
    return [[Tap(compact(weight), _size(call))]]


@register_route(
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
)
def _global_average(call: Call, tap: Tap, output: int) -> Pulled:
    _no_path(call, tap)
    weight = tap.weight
    if not call.layer.keepdims:
        for axis in spatial_axes(call):
            weight = np.expand_dims(weight, axis)
    return [[Tap(compact(weight), _size(call))]]


@register_route(
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)
def _max_pooling(call: Call, tap: Tap, output: int) -> Pulled:
    # Not linear: events are those that leave the pool, so the tap stays behind it.
    return [[Tap(tap.weight, tap.size, (call.layer, *tap.path))]]


# --- several inputs -----------------------------------------------------------------


@register_route(layers.Add, layers.Subtract, layers.Average, "ops.Add", "ops.Subtract")
def _add(call: Call, tap: Tap, output: int) -> Pulled:
    _no_path(call, tap)
    if len(call.inputs) < 2:
        raise ValueError(
            f"Layer '{call.name}' adds a constant to spikes, which makes them "
            "analogue values. Remedy: add it behind the synapse, as a bias."
        )
    return [
        [Tap(compact(_unbroadcast(call, tap, k)), _size(call, k))]
        for k in range(len(call.inputs))
    ]


def _unbroadcast(call: Call, tap: Tap, k: int) -> np.ndarray:
    size = _size(call, k)
    weight = tap.weight
    aligned = (1,) * (weight.ndim - len(size)) + size
    for axis, n in enumerate(aligned):
        if n == 1 and tap.size[axis] > 1:  # one event, read at every position
            weight = weight.repeat(tap.size[axis] // weight.shape[axis], axis=axis)
            weight = weight.sum(axis=axis, keepdims=True)
    return weight.reshape(weight.shape[weight.ndim - len(size) :])


@register_route(layers.Concatenate, "ops.Concatenate", elementwise=True)
def _concatenate(call: Call, tap: Tap, output: int) -> Pulled:
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
        size = _size(call, k)
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
            _no_path(call, tap)
