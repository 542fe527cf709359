"""How events pass through Keras layers that have no weights.

A rule draws one `Tap` on a layer's output back to its inputs. It is only asked
about tensors that carry events, so analogue stems may use these layers freely.

For a dense layer of 10 units on `Flatten()` of `(2, 2, 3)`, the tap on the output of
`Flatten` has the weight `[10]` for each of 12 elements; its rule draws it back to a tap
of weight 10 for each of the `(2, 2, 3)` neurons. `joins.py` has the layers that pool
events or bring several tensors together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_ssp.graph import Call
from keras_ssp.layers import BatchNormalization
from keras_ssp.synapses.copies import moved, sizes_in
from keras_ssp.synapses.gates import constant
from keras_ssp.synapses.registry import (
    Rule,
    register_by_arguments,
    register_route,
)
from keras_ssp.synapses.taps import Tap, compact, full
from keras_ssp.synapses.windows import spatial_axes
from keras_ssp.types import Array, Sizes

TapsByInput = Sequence[Sequence[Tap]]
DrawBack = Callable[[Call, Array, Sizes], Array]


def _linear(draw: DrawBack) -> Callable[[Call, Tap, int], TapsByInput]:
    """A route that rearranges single events; a max pooling may come after it."""

    def rule(call: Call, tap: Tap, output: int) -> TapsByInput:
        if tap.path:
            return [[Tap(tap.weight, tap.size, (call.layer, *tap.path))]]
        size = sizes_in(call)
        return [[Tap(compact(draw(call, tap.weight, tap.size)), size)]]

    return rule


def no_path(call: Call, tap: Tap) -> None:
    """Refuses a tap whose events are only known after a max pooling."""
    if tap.path:
        raise ValueError(
            f"Layer '{call.name}' adds up or averages events before the max "
            f"pooling '{tap.path[0].name}': which events leave the pool can then not "
            "be told per neuron. Remedy: put the max pooling before "
            f"'{call.name}', or use average pooling."
        )


# --- one element in, one element out ------------------------------------------------


def _identity(call: Call, tap: Tap, output: int) -> TapsByInput:
    """Each element is handed on."""
    return [[tap]]


register_route(
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.Identity,
    layers.ActivityRegularization,
    layers.InputLayer,
    layers.GaussianNoise,  # these three, as dropout, do nothing in inference
    layers.GaussianDropout,
    layers.AlphaDropout,
    layers.Masking,
    "ops.Cast",
    "ops.StopGradient",
    "ops.Copy",
    elementwise=True,
    binary=True,
)(_identity)


@register_route(layers.BatchNormalization, BatchNormalization, elementwise=True)
def _batch_norm(call: Call, tap: Tap, output: int) -> TapsByInput:
    # Folded into the synapse after it; before a max pool it could change which
    # value wins.
    no_path(call, tap)
    return [[tap]]


register_by_arguments(
    layers.Activation,
    lambda layer: (
        Rule("route", _identity, elementwise=True, binary=True)
        if _is_linear(layer)
        else Rule("analogue")
    ),
)


def _is_linear(layer: keras.layers.Layer) -> bool:
    return layer.activation is keras.activations.linear


def _scaling(layer: keras.layers.Layer) -> Rule:
    shifted = np.any(np.asarray(layer.offset) != 0)
    if shifted:
        return Rule("analogue")
    scale = np.asarray(layer.scale, "float64")
    return Rule(
        "route",
        lambda call, tap, output: [[_times(call, tap, scale)]],
        elementwise=True,
    )


def scaled(call: Call, tap: Tap, output: int) -> TapsByInput:
    """A factor changes the value of an event, not which synapses it drives."""
    if len(call.inputs) != 1:
        raise ValueError(
            f"Layer '{call.name}' multiplies or divides spikes by analogue values, "
            "which makes them analogue. Remedy: let the analogue branch pass through a "
            "spiking layer, or join the two after the synapse."
        )
    factors = [constant(call, k) for k in range(len(call.args) + len(call.kwargs))]
    if "Divide" in type(call.layer).__name__ and factors[0] is not None:
        raise ValueError(
            f"Layer '{call.name}' divides by spikes, which are 0 most of the time. "
            "Remedy: multiply by them, or divide after the synapse."
        )
    factor = next((c for c in factors if c is not None), np.ones(()))
    return [[_times(call, tap, np.asarray(factor, "float64"))]]


def _times(call: Call, tap: Tap, factor: Array) -> Tap:
    """The tap before a constant factor: no event is left where the factor is 0."""
    no_path(call, tap)  # a negative factor would change which value wins
    weight = tap.weight
    if np.any(factor == 0):
        passes = np.broadcast_to(factor != 0, (1, *tap.size))[0]
        weight = full(weight, tap.size) * passes
    return Tap(compact(unbroadcast(call, Tap(weight, tap.size), 0)), sizes_in(call))


def unbroadcast(call: Call, tap: Tap, k: int) -> Array:
    """Weights over an input that was broadcast: an event for each copy."""
    size = sizes_in(call, k)
    weight = tap.weight
    aligned = (1,) * (weight.ndim - len(size)) + size
    for axis, n in enumerate(aligned):
        if n == 1 and tap.size[axis] > 1:  # one event, read at every position
            weight = weight.repeat(tap.size[axis] // weight.shape[axis], axis=axis)
            weight = weight.sum(axis=axis, keepdims=True)
    return weight.reshape(weight.shape[weight.ndim - len(size) :])


register_by_arguments(layers.Rescaling, _scaling)


@register_route(layers.Flatten, elementwise=True, binary=True)
@_linear
def _flatten(call: Call, weight: Array, size: Sizes) -> Array:
    """Same elements in one row."""
    into = sizes_in(call)
    if weight.size == 1:
        return np.full((1,) * len(into), weight.ravel()[0])
    if call.layer.data_format == "channels_first" and len(into) > 1:
        flat = full(weight, size).reshape((*into[1:], into[0]))
        return np.moveaxis(flat, -1, 0)
    return full(weight, size).reshape(into)


@register_route(layers.Reshape, "ops.Reshape", elementwise=True, binary=True)
@_linear
def _reshape(call: Call, weight: Array, size: Sizes) -> Array:
    """Same elements in another shape."""
    into = sizes_in(call)
    if math.prod(into) != math.prod(size):
        raise ValueError(
            f"Layer '{call.name}' moves elements between the batch axis and the "
            f"features, where time is folded. Received: features {into} to {size}."
        )
    if weight.size == 1:
        return np.full((1,) * len(into), weight.ravel()[0])
    return full(weight, size).reshape(into)


@register_route(layers.Permute, elementwise=True, binary=True)
@_linear
def _permute(call: Call, weight: Array, size: Sizes) -> Array:
    """Same elements in another order of axes."""
    return weight.transpose(np.argsort([axis - 1 for axis in call.layer.dims]))


@register_route(layers.RepeatVector, binary=True)
@_linear
def _repeat(call: Call, weight: Array, size: Sizes) -> Array:
    """An event is read once for each copy."""
    return full(weight, size).sum(axis=0)


def per_axis(
    call: Call,
    weight: Array,
    size: Sizes,
    matrix: Callable[[int, int], Array],
) -> Array:
    """Draws weights back along each spatial axis with an (output, input) matrix."""
    for k, axis in enumerate(spatial_axes(call)):
        a = matrix(k, sizes_in(call)[axis])
        if weight.shape[axis] == 1:
            weight = weight.repeat(size[axis], axis=axis)
        weight = np.moveaxis(np.tensordot(a, weight, axes=(0, axis)), 0, axis)
    return weight


def _pairs(value: Sequence[Any]) -> list[tuple[int, int]]:
    """`(1, 2)` and `((1, 2), (3, 4))` as one pair per axis."""
    one_axis = not isinstance(value[0], (tuple, list))
    return [tuple(value)] if one_axis else [tuple(v) for v in value]


@register_route(
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.ZeroPadding3D,
    elementwise=True,
    binary=True,
)
@_linear
def _zero_padding(call: Call, weight: Array, size: Sizes) -> Array:
    """Events keep their place; what is padded never fires."""
    pads = _pairs(call.layer.padding)
    return per_axis(
        call,
        weight,
        size,
        lambda k, n: np.eye(pads[k][0] + n + pads[k][1], n, -pads[k][0]),
    )


@register_route(
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Cropping3D,
    elementwise=True,
    binary=True,
)
@_linear
def _cropping(call: Call, weight: Array, size: Sizes) -> Array:
    """What is cut off drives nothing."""
    cuts = _pairs(call.layer.cropping)
    return per_axis(
        call, weight, size, lambda k, n: np.eye(n - sum(cuts[k]), n, cuts[k][0])
    )


@register_route(
    layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D, elementwise=True
)
def _up_sampling(call: Call, tap: Tap, output: int) -> TapsByInput:
    if getattr(call.layer, "interpolation", "nearest") != "nearest":
        no_path(call, tap)  # it averages
    return _linear(_up_sampled)(call, tap, output)


def _up_sampled(call: Call, weight: Array, size: Sizes) -> Array:
    factors = call.layer.size
    factors = (factors,) if isinstance(factors, int) else tuple(factors)
    mode = getattr(call.layer, "interpolation", "nearest")

    def matrix(k: int, n: int) -> Array:
        if mode == "nearest":
            return np.eye(n).repeat(factors[k], axis=0)
        # Measured: which outputs a one-hot input reaches under this interpolation.
        image = ops.reshape(ops.eye(n, dtype="float32"), (n, n, 1, 1))
        image = ops.image.resize(
            image, (n * factors[k], 1), interpolation=mode, data_format="channels_last"
        )
        # Some weights of lanczos are 0 but for the rounding.
        reached = np.abs(ops.convert_to_numpy(image)[:, :, 0, 0]) > 1e-6
        return np.asarray(reached.T, "float64")

    return per_axis(call, weight, size, matrix)


# A smaller image is cut out; a larger one would be interpolated, which is refused.
register_route(layers.CenterCrop, rule=moved, elementwise=True, binary=True)
register_by_arguments(
    layers.Resizing,
    lambda layer: (
        Rule("route", moved, elementwise=True, binary=True)
        if layer.interpolation == "nearest"
        else Rule("analogue", free=True)
    ),
)
