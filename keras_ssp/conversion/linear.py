"""Weighted layers of Keras as kernels whose channels can be scaled."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
from keras import layers, ops

from keras_ssp.types import Array, Operation

# Exactly these types: a subclass may compute something else.
LINEAR = frozenset(
    {
        layers.Dense,
        layers.Conv1D,
        layers.Conv2D,
        layers.Conv3D,
        layers.DepthwiseConv1D,
        layers.DepthwiseConv2D,
        layers.SeparableConv1D,
        layers.SeparableConv2D,
        layers.Conv1DTranspose,
        layers.Conv2DTranspose,
        layers.Conv3DTranspose,
    }
)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)


def is_linear_layer(layer: Operation) -> bool:
    """Whether `layer` computes `kernel * x + bias`, its activation left out."""
    return type(layer) in LINEAR


def channel_axis(layer: keras.layers.Layer, rank: int) -> int:
    """The axis of the features (batch left out) that holds a layer's channels."""
    return 0 if getattr(layer, "data_format", "") == "channels_first" else rank - 1


@dataclasses.dataclass(frozen=True, eq=False)
class LinearWeights:
    """Kernels and bias of a linear layer, in float64.

    Args:
        layer: The layer they were read from.
        kernels: One array, two for a separable convolution.
        bias: Array, or `None`.
    """

    layer: keras.layers.Layer
    kernels: tuple[Array, ...]
    bias: Array | None

    @classmethod
    def of(cls, layer: keras.layers.Layer) -> LinearWeights:
        """Reads the weights of a built layer."""
        if isinstance(layer, _SEPARABLE):
            kernels = [layer.depthwise_kernel, layer.pointwise_kernel]
        else:
            kernels = [layer.kernel]
        return cls(
            layer,
            tuple(_wide(kernel) for kernel in kernels),
            _wide(layer.bias) if layer.use_bias else None,
        )

    def scaled_input(self, scale: Array) -> LinearWeights:
        """Weights that do to `x` what these do to `scale * x`.

        Args:
            scale: One number per input channel, or a single one.
        """
        first, *rest = self.kernels
        if scale.size == 1:
            first = first * scale.ravel()[0]
        elif isinstance(self.layer, _TRANSPOSED):
            first = first * scale
        else:
            groups = getattr(self.layer, "groups", 1)
            if groups > 1:  # filter f reads the input channels of its group only
                per_group = scale.reshape(groups, -1).T
                first = first * per_group.repeat(first.shape[-1] // groups, axis=1)
            else:
                first = first * scale[:, None]
        return dataclasses.replace(self, kernels=(first, *rest))

    def scaled_output(self, scale: Array) -> LinearWeights:
        """Weights whose result is `scale` times that of these.

        Args:
            scale: One number per output channel, or a single one.
        """
        *rest, last = self.kernels
        if scale.size == 1:
            last = last * scale.ravel()[0]
        elif isinstance(self.layer, _DEPTHWISE):
            last = last * scale.reshape(last.shape[-2:])
        elif isinstance(self.layer, _TRANSPOSED):
            last = last * scale[:, None]
        else:
            last = last * scale
        bias = None if self.bias is None else self.bias * scale
        return dataclasses.replace(self, kernels=(*rest, last), bias=bias)

    def shifted(self, shift: Array) -> LinearWeights:
        """Weights whose result is that of these plus `shift`, one per channel."""
        bias = 0.0 if self.bias is None else self.bias
        return dataclasses.replace(self, bias=bias + shift)

    def put_into(self, layer: keras.layers.Layer) -> None:
        """Writes the weights into a built layer of the same type."""
        bias = [] if self.bias is None else [self.bias]
        layer.set_weights([*self.kernels, *bias])


def _wide(weight: keras.Variable) -> Array:
    return np.asarray(ops.convert_to_numpy(ops.cast(weight, "float32")), "float64")
