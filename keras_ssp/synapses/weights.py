"""The fan-out rules of Keras' own layers; see `keras_ssp.synapses` for the registry."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from keras import layers, ops

from keras_ssp.graph import Call
from keras_ssp.layers.encoding import Encoding
from keras_ssp.layers.qcfs import QCFS
from keras_ssp.layers.readout import RateReadout
from keras_ssp.synapses.registry import (
    RULES,
    Rule,
    register_analogue,
    register_synapse,
)
from keras_ssp.synapses.windows import incidence, spatial_axes
from keras_ssp.types import Array

# --- synapses -------------------------------------------------------------------


@register_synapse(layers.Dense)
def _dense(call: Call) -> Array:
    return _uniform(call, call.layer.units)


@register_synapse(layers.EinsumDense)
def _einsum_dense(call: Call) -> Array:
    # One product per assignment of all labels; an input element fixes its own.
    inputs, kernel = call.layer.equation.split("->")[0].split(",")
    sizes = zip(kernel.strip(), call.layer.kernel.shape, strict=True)
    return _uniform(call, math.prod(n for label, n in sizes if label not in inputs))


@register_synapse(layers.Conv1D)
@register_synapse(layers.Conv2D)
@register_synapse(layers.Conv3D)
def _conv(call: Call) -> Array:
    return _spatial(call) * (call.layer.filters // call.layer.groups)


@register_synapse(layers.DepthwiseConv1D)
@register_synapse(layers.DepthwiseConv2D)
def _depthwise(call: Call) -> Array:
    return _spatial(call) * call.layer.depth_multiplier


def _pointwise_macs(call: Call) -> int:
    # The 1x1 half is driven by the depthwise half's analogue output.
    axes = spatial_axes(call)
    size, out = call.inputs[0].features, call.outputs[0].features
    channels = size[0 if call.layer.data_format == "channels_first" else -1]
    positions = math.prod(int(out[a] or 0) for a in axes)
    per_position = int(channels or 0) * call.layer.depth_multiplier
    return int(positions * per_position * call.layer.filters)


@register_synapse(layers.SeparableConv1D, extra_macs=_pointwise_macs)
@register_synapse(layers.SeparableConv2D, extra_macs=_pointwise_macs)
def _separable(call: Call) -> Array:
    return _depthwise(call)


@register_synapse(layers.Conv1DTranspose)
@register_synapse(layers.Conv2DTranspose)
@register_synapse(layers.Conv3DTranspose)
def _conv_transpose(call: Call) -> Array:
    layer = call.layer
    counts = []
    for k, axis in enumerate(spatial_axes(call)):
        padding = layer.output_padding
        counts.append(
            _transpose_counts(
                int(call.inputs[0].features[axis] or 0),
                layer.kernel_size[k],
                layer.strides[k],
                layer.padding,
                padding[k] if isinstance(padding, (tuple, list)) else padding,
                layer.dilation_rate[k],
            )
        )
    return _outer(call, counts) * layer.filters


@functools.lru_cache(maxsize=1024)
def _transpose_counts(
    n: int,
    kernel: int,
    stride: int,
    padding: str,
    output_padding: int | None,
    dilation: int,
) -> Array:
    # Measured, not derived: a kernel of ones spreads each of n one-hot inputs over
    # just the outputs that Keras lets it reach, whatever its padding rule.
    spread = ops.conv_transpose(
        ops.reshape(ops.eye(n, dtype="float32"), (n, n, 1)),
        ops.ones((kernel, 1, 1), dtype="float32"),
        strides=stride,
        padding=padding,
        output_padding=output_padding,
        data_format="channels_last",
        dilation_rate=dilation,
    )
    total = ops.convert_to_numpy(ops.sum(spread, axis=(1, 2)))
    return np.asarray(np.rint(total), "float64")


# --- without weights --------------------------------------------------------------

RULES.add(
    (
        QCFS,
        layers.ReLU,
        layers.LeakyReLU,
        layers.ELU,
        layers.PReLU,
        layers.Softmax,
        layers.LayerNormalization,
        layers.GroupNormalization,
        layers.UnitNormalization,
        layers.RMSNormalization,
        layers.Normalization,
    ),
    Rule("analogue", free=True),
)
register_analogue(RateReadout, Encoding, ends_events=True)


# --- shapes -------------------------------------------------------------------------


def _spatial(call: Call) -> Array:
    layer = call.layer
    counts = [
        incidence(
            int(call.inputs[0].features[axis] or 0),
            layer.kernel_size[k],
            layer.strides[k],
            layer.padding,
            layer.dilation_rate[k],
        ).sum(axis=0)
        for k, axis in enumerate(spatial_axes(call))
    ]
    return _outer(call, counts)


def _outer(call: Call, counts: Sequence[Array]) -> Array:
    rank = len(call.inputs[0].features)
    psi = np.ones((1,) * rank)
    for axis, count in zip(spatial_axes(call), counts, strict=True):
        psi = psi * count.reshape([-1 if a == axis else 1 for a in range(rank)])
    return psi


def _uniform(call: Call, value: float) -> Array:
    return np.full((1,) * len(call.inputs[0].features), float(value))
