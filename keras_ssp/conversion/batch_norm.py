"""Batch normalisation, folded into the linear layer before it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from keras_ssp.conversion.linear import LinearWeights, channel_axis, is_linear_layer
from keras_ssp.graph import Call, Graph, require_model
from keras_ssp.graph.rebuild import UniqueNames, Visitor, copy_layer, rebuild, replay
from keras_ssp.layers import BatchNormalization
from keras_ssp.types import Array, Operation, Tensor


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Returns the same function without batch normalisation.

    In evaluation mode a `BatchNormalization` is `gamma * (x - mean) / sqrt(variance
    + epsilon) + beta`. After a linear layer it is a scale and a shift of that layer's
    kernel and bias:

        scale   = gamma / sqrt(variance + epsilon)
        kernel' = kernel * scale
        bias'   = bias * scale + beta - mean * scale

    The model is left as it is. Nested models are opened up, and a layer that is
    called more than once becomes one layer per call.

    Args:
        model: Built Sequential or Functional model, whose batch normalisations
            directly follow dense layers and 1-D to 3-D convolutions: plain, grouped,
            depthwise, separable or transposed.

    Returns:
        A Functional `keras.Model`; outputs equal the original's with
        `training=False` to rounding.

    Raises:
        ValueError: If a batch normalisation follows anything else, or a layer cannot
            be copied.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(3, use_bias=False),
    ...     keras.layers.BatchNormalization(), keras.layers.ReLU()])
    >>> [type(layer).__name__ for layer in fold_batch_norm(model).layers]
    ['InputLayer', 'Dense', 'ReLU']

    Reference: Ioffe & Szegedy, "Batch Normalization", ICML 2015; folding as in
    Rueckauer et al., Frontiers in Neuroscience 11:682 (2017).
    """
    name = f"{require_model(model).name}_folded"
    return rebuild(model, name, _folding_visitor)


def _folding_visitor(graph: Graph, names: UniqueNames) -> Visitor[Tensor]:
    producers, readers = graph.producers(), graph.consumers()

    def linear_before(norm: Call) -> Call:
        edge = norm.inputs[0]
        source = producers[edge][0] if edge in producers else None
        if source is None or not is_linear_layer(source.layer):
            found = "the model's input" if source is None else _described(source)
            raise _unfoldable(norm, f"it stands behind {found}, not a linear layer")
        if source.layer.activation is not keras.activations.linear:
            raise _unfoldable(
                norm, f"{_described(source)} in front of it has an activation"
            )
        # Folding changes what the linear layer returns, so nothing else may read it.
        if len(readers[edge]) > 1 or edge in graph.outputs:
            raise _unfoldable(norm, f"{_described(source)} is read elsewhere too")
        rank = len(edge.features)
        if norm.layer.axis % (rank + 1) != channel_axis(source.layer, rank) + 1:
            raise _unfoldable(
                norm,
                f"its axis={norm.layer.axis} is not the channel axis of "
                f"{_described(source)}",
            )
        return source

    folded = {
        linear_before(call): call for call in graph.calls if is_batch_norm(call.layer)
    }

    def visit(call: Call, inputs: list[Tensor]) -> Sequence[Tensor]:
        if is_batch_norm(call.layer):
            return inputs
        if call not in folded:
            return replay(call, inputs, names(call.name))
        # The shift needs a bias, whether the layer had one or not.
        layer = copy_layer(call, names(call.name), use_bias=True)
        outputs = [layer(inputs[0])]
        _with_norm(LinearWeights.of(call.layer), folded[call].layer).put_into(layer)
        return outputs

    return visit


def is_batch_norm(layer: Operation) -> bool:
    """Whether `layer` is a batch normalisation."""
    return type(layer) in (layers.BatchNormalization, BatchNormalization)


def _with_norm(
    weights: LinearWeights, norm: keras.layers.BatchNormalization
) -> LinearWeights:
    mean, variance = _numbers(norm.moving_mean), _numbers(norm.moving_variance)
    scale = 1.0 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * _numbers(norm.gamma)
    shift = -mean * scale
    if norm.center:
        shift = shift + _numbers(norm.beta)
    return weights.scaled_output(scale).shifted(shift)


def _numbers(weight: keras.Variable) -> Array:
    return np.asarray(ops.convert_to_numpy(ops.cast(weight, "float32")), "float64")


def _described(call: Call) -> str:
    return f"layer '{call.name}' ({type(call.layer).__name__})"


def _unfoldable(norm: Call, reason: str) -> ValueError:
    return ValueError(
        f"BatchNormalization '{norm.name}' cannot be folded: {reason}. Remedy: put it "
        "directly behind a Dense or convolution layer with no activation of its own."
    )
