"""The network to convert, with one job per layer.

Batch normalisation folded, `activation=` arguments made layers of their own, layers
that do nothing in evaluation mode left out. What is left is of the kinds below.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from keras_ssp import graph as graph_lib
from keras_ssp.conversion.batch_norm import fold_batch_norm, is_batch_norm
from keras_ssp.conversion.linear import LinearWeights, is_linear_layer
from keras_ssp.graph import Call, Graph, timeline
from keras_ssp.graph.rebuild import (
    UniqueNames,
    Visitor,
    copy_layer,
    copy_weights,
    rebuild,
    replay,
)
from keras_ssp.layers import QCFS
from keras_ssp.types import Operation, Tensor

MAX_POOLS = (
    *(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D),
    *(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D),
    layers.GlobalMaxPooling3D,
)
GLOBAL_POOLS = (
    *(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D),
    layers.GlobalAveragePooling3D,
    *(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D),
    layers.GlobalMaxPooling3D,
)
# Each channel is moved or pooled on its own: a scale per channel passes through.
CHANNELWISE = (
    *(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D),
    *(layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D),
    *GLOBAL_POOLS,
    *(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D),
    *(layers.Cropping1D, layers.Cropping2D, layers.Cropping3D),
    *(layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D),
)
RESHAPING = (layers.Flatten, layers.Reshape, layers.Permute)
PREPROCESSING = (layers.Rescaling, layers.Normalization)
NOTHING_AT_INFERENCE = (
    *(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D),
    *(layers.SpatialDropout3D, layers.AlphaDropout, layers.GaussianDropout),
    *(layers.GaussianNoise, layers.ActivityRegularization, layers.Identity),
    *(layers.RandomFlip, layers.RandomTranslation, layers.RandomRotation),
    *(layers.RandomZoom, layers.RandomContrast, layers.RandomBrightness),
)
_COPIED = {
    *CHANNELWISE,
    *RESHAPING,
    *PREPROCESSING,
    *(layers.Add, layers.Concatenate),
}
SUPPORTED = (
    "Dense, Conv*, DepthwiseConv*, SeparableConv*, Conv*Transpose, BatchNormalization "
    "behind them, ReLU, QCFS, pooling, Flatten, Reshape, Permute, ZeroPadding*, "
    "Cropping*, UpSampling*, Add, Concatenate, Dropout*, Rescaling and Normalization "
    "of the input, and any activation at the very end"
)


def canonicalize(model: keras.Model) -> keras.Model:
    """The same function as `model` in evaluation mode, in the kinds given above.

    Raises:
        ValueError: If a layer is of no kind that can be converted.
    """
    graph = graph_lib.trace(model)
    for call in graph.calls:
        _check_supported(call, graph)
    return rebuild(fold_batch_norm(model), model.name, _splitting_visitor)


def is_neuron(layer: Operation) -> bool:
    """Whether a layer of a canonical network is to become spiking neurons."""
    return isinstance(layer, QCFS) or is_relu(layer)


def is_relu(layer: Operation) -> bool:
    """Whether `layer` is a ReLU, possibly clipped from above."""
    kind = type(layer).__name__
    if type(layer) is layers.Activation:
        layer, kind = layer.activation, ""
    if layer in (keras.activations.relu, keras.activations.relu6):
        return True
    # Three spellings: the layer, `keras.activations.relu(x)` and `keras.ops.relu(x)`.
    if type(layer) is layers.ReLU or (kind == "ReLU" and not _is_layer(layer)):
        return not layer.negative_slope and not layer.threshold
    return kind in ("Relu", "Relu6") and not _is_layer(layer)


def is_activation(layer: Operation) -> bool:
    """Whether `layer` applies a function without looking across samples or time."""
    elementwise = (layers.LeakyReLU, layers.ELU, layers.ReLU, layers.Softmax)
    return type(layer) in (layers.Activation, *elementwise)


def is_sum(layer: Operation) -> bool:
    """Whether `layer` adds up its inputs: `Add()` or `a + b`."""
    return type(layer) is layers.Add or (
        type(layer).__name__ == "Add" and not _is_layer(layer)
    )


def is_at_the_end(call: Call, graph: Graph) -> bool:
    """Whether nothing but the model's output reads what `call` returns."""
    return not any(edge in graph.consumers() for edge in call.outputs)


def _is_layer(thing: object) -> bool:
    return isinstance(thing, keras.layers.Layer)


def _check_supported(call: Call, graph: Graph) -> None:
    layer = call.layer
    named = f"Layer '{call.name}' of type {type(layer).__name__}"
    if timeline.role(layer) is not None:
        raise ValueError(
            f"{named} is a spiking layer already. Remedy: convert the network of "
            "ReLU or QCFS activations."
        )
    if is_linear_layer(layer):
        function = getattr(layer.activation, "__name__", type(layer.activation))
        last = is_at_the_end(call, graph)
        if not (_is_convertible(layer.activation) or last):
            raise _wrong_activation(f"{named} with activation {function}")
    elif is_activation(layer) and not is_neuron(layer) and not _is_identity(layer):
        if not is_at_the_end(call, graph):
            raise _wrong_activation(named)
    elif is_sum(layer):
        if len(call.inputs) < 2:
            raise ValueError(
                f"{named} adds a constant. Remedy: make it a bias of the layer "
                "before it."
            )
    elif not (
        is_neuron(layer)
        or is_batch_norm(layer)
        or _is_identity(layer)
        or type(layer) in _COPIED
    ):
        raise ValueError(
            f"{named} cannot be converted. Remedy: replace it by layers that can be: "
            f"{SUPPORTED}."
        )


def _wrong_activation(named: str) -> ValueError:
    return ValueError(
        f"{named} cannot be converted: a spike rate is a clipped ReLU. Remedy: train "
        "the network with ReLU or `keras_ssp.layers.QCFS`; other activations may only "
        "be the last thing the model does."
    )


def _is_identity(layer: Operation) -> bool:
    linear = type(layer) is layers.Activation and (
        layer.activation is keras.activations.linear
    )
    return linear or type(layer) in NOTHING_AT_INFERENCE


def _is_convertible(activation: Operation) -> bool:
    plain = (
        keras.activations.linear,
        keras.activations.relu,
        keras.activations.relu6,
    )
    return activation in plain or is_neuron(activation)


def _splitting_visitor(graph: Graph, names: UniqueNames) -> Visitor[Tensor]:
    def visit(call: Call, inputs: list[Tensor]) -> Sequence[Tensor]:
        name = names(call.name)
        if _is_identity(call.layer):
            return inputs
        if is_sum(call.layer):
            return [layers.Add(name=name)(inputs)]
        if not is_linear_layer(call.layer):
            return replay(call, inputs, name)
        activation = call.layer.activation
        layer = copy_layer(call, name, activation=None)
        y = layer(inputs[0])
        LinearWeights.of(call.layer).put_into(layer)
        if activation is keras.activations.linear:
            return [y]
        return [apply_activation(activation, y, call.layer, names)]

    return visit


def apply_activation(
    activation: Operation, y: Tensor, owner: keras.layers.Layer, names: UniqueNames
) -> Tensor:
    """An `activation=` argument of `owner` on its output, as a layer of its own."""
    if not _is_layer(activation):
        name = names(f"{owner.name}_{getattr(activation, '__name__', 'activation')}")
        return layers.Activation(activation, dtype=owner.dtype_policy, name=name)(y)
    # A layer given as `activation=` has weights of its own, e.g. a QCFS its threshold.
    layer = type(activation).from_config(activation.get_config())
    layer.name = names(f"{owner.name}_{layer.name}")
    y = layer(y)
    copy_weights(activation, layer)
    return y
