"""Multiply-accumulates of analogue layers and operations that multiply tensors.

Attention, recurrent layers, matrix products: what an analogue front may hold before the
first spikes, or a model after its last. Each rule gives the multiply-accumulates of one
run on one sample; scaling, softmax, gates and other elementwise arithmetic are not
counted, as nowhere in this package. No spikes may arrive there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers

from keras_ssp.graph import Call, Edge
from keras_ssp.synapses.registry import RULES, Rule, register_analogue
from keras_ssp.synapses.windows import incidence
from keras_ssp.types import Operation, Shape


def _sizes(call: Call, edge: Edge) -> list[int]:
    if any(n is None for n in edge.features):
        raise ValueError(
            f"The multiply-accumulates of layer '{call.name}' cannot be counted: the "
            "size of a tensor is not known. Remedy: give `keras.Input` a full shape. "
            f"Received: shape={edge.shape}."
        )
    return [int(n) for n in edge.features if n is not None]


def _product(sizes: Sequence[int | None]) -> int:
    return math.prod(int(n or 1) for n in sizes)  # the batch axis is None: 1


# --- attention ----------------------------------------------------------------------


def _attended(call: Call, names: Sequence[str]) -> dict[str, list[int]]:
    """Features of the tensors of an attention, by the argument they are given as."""
    sizes = [_sizes(call, edge) for edge in call.inputs]
    found = dict(zip(names, sizes, strict=False))
    return {name: found.get(name, found["value"]) for name in names}


def _multi_head(call: Call) -> int:
    layer = call.layer
    tensors = _attended(call, ("query", "value", "key"))
    queries, keys = tensors["query"], tensors["key"]
    axes = layer._attention_axes or range(1, len(queries))
    t = math.prod(queries[a - 1] for a in axes)  # attended to, for each of the others
    s = math.prod(keys[a - 1] for a in axes)
    apart = math.prod(queries[:-1]) // t
    heads, d = layer.num_heads, layer.key_dim
    v = getattr(layer, "_value_dim", None) or getattr(layer, "value_dim", None) or d
    out = _sizes(call, call.outputs[0])[-1]
    projections = (
        t * queries[-1] * heads * d
        + s * keys[-1] * heads * d
        + s * tensors["value"][-1] * heads * v
        + t * heads * v * out
    )
    return int(apart * (projections + t * s * heads * (d + v)))


def _grouped_query(call: Call) -> int:
    layer = call.layer
    tensors = _attended(call, ("query", "value", "key"))
    (t, width), (s, key_width) = tensors["query"], tensors["key"]
    heads, groups, d = layer.num_query_heads, layer.num_key_value_heads, layer.head_dim
    out = _sizes(call, call.outputs[0])[-1]
    projections = t * width * heads * d + t * heads * d * out
    projections += s * (key_width + tensors["value"][-1]) * groups * d
    return int(projections + 2 * t * s * heads * d)


def _scores(call: Call) -> int:
    """`Attention` and `AdditiveAttention`: scores of all pairs, then a weighted sum."""
    tensors = _attended(call, ("query", "value", "key"))
    query, value, key = (tensors[n] for n in ("query", "value", "key"))
    pairs = math.prod(query[:-1]) * value[-2]
    return int(pairs * (key[-1] + value[-1]))


register_analogue(layers.MultiHeadAttention, macs=_multi_head)
register_analogue(layers.GroupQueryAttention, macs=_grouped_query)
register_analogue(layers.Attention, layers.AdditiveAttention, macs=_scores)


# --- recurrent layers -----------------------------------------------------------------


def _matrices(cell: Any) -> int:
    """Weights of a recurrent cell that meet a value at each step, biases left out."""
    cells = getattr(cell, "cells", [cell])
    kernels = [
        getattr(one, name, None)
        for one in cells
        for name in ("kernel", "recurrent_kernel")
    ]
    if any(kernel is None for kernel in kernels):
        raise ValueError(
            f"The multiply-accumulates of a recurrent layer with a cell of type "
            f"{type(cell).__name__} cannot be counted. Remedy: register the layer with "
            "`keras_ssp.synapses.register_analogue(..., macs=...)`."
        )
    return sum(math.prod(kernel.shape) for kernel in kernels if kernel is not None)


def _recurrent(call: Call) -> int:
    return _sizes(call, call.inputs[0])[0] * _matrices(call.layer.cell)


def _bidirectional(call: Call) -> int:
    steps = _sizes(call, call.inputs[0])[0]
    both = (call.layer.forward_layer, call.layer.backward_layer)
    return steps * sum(_matrices(layer.cell) for layer in both)


def _conv_lstm(call: Call) -> int:
    layer, cell = call.layer, call.layer.cell
    steps, *image = _sizes(call, call.inputs[0])
    first = layer.data_format == "channels_first"
    channels = image[0] if first else image[-1]
    places = image[1:] if first else image[:-1]
    reads = [
        incidence(
            n, cell.kernel_size[k], cell.strides[k], cell.padding, cell.dilation_rate[k]
        )
        for k, n in enumerate(places)
    ]
    inputs = math.prod(int(a.sum()) for a in reads) * channels * 4 * layer.filters
    state = [
        incidence(a.shape[0], n, 1, "same")
        for a, n in zip(reads, cell.kernel_size, strict=True)
    ]
    hidden = math.prod(int(a.sum()) for a in state) * layer.filters * 4 * layer.filters
    return steps * (inputs + hidden)


register_analogue(
    layers.LSTM, layers.GRU, layers.SimpleRNN, layers.RNN, macs=_recurrent
)
register_analogue(layers.Bidirectional, macs=_bidirectional)
register_analogue(
    layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D, macs=_conv_lstm
)
RULES.add(
    (layers.Embedding,),
    Rule("analogue", free=True, note="a look-up: no multiply-accumulates"),
)


# --- products of tensors --------------------------------------------------------------


def _shapes(call: Call) -> list[Shape]:
    """Shapes of the two operands, constants included."""
    given = [x for x in (*call.args, *call.kwargs.values()) if hasattr(x, "shape")]
    return [tuple(x.shape) for x in given]


def _matmul(call: Call) -> int:
    inner = _shapes(call)[0][-1]
    return _product(call.outputs[0].features) * int(inner or 1)


def _dot_layer(call: Call) -> int:
    axes = call.layer.axes
    axis = axes if isinstance(axes, int) else axes[0]
    return _product(call.outputs[0].features) * int(call.inputs[0].shape[axis] or 1)


def _tensordot(call: Call) -> int:
    axes, first = call.layer.axes, _shapes(call)[0]
    if isinstance(axes, int):
        summed = first[len(first) - axes :]
    else:
        summed = tuple(first[int(a)] for a in np.atleast_1d(axes[0]))
    return _product(call.outputs[0].features) * _product(summed)


def _einsum(call: Call) -> int:
    subscripts, shapes = call.layer.subscripts.replace(" ", ""), _shapes(call)
    terms = subscripts.split("->")[0].split(",")
    if len(terms) != 2 or "..." in subscripts:
        raise ValueError(
            f"The multiply-accumulates of layer '{call.name}' cannot be counted: "
            f"`einsum` must have two operands and no '...'. Received: {subscripts!r}."
        )
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, n in zip(term, shape, strict=True):
            sizes[label] = max(sizes.get(label, 1), int(n or 1))
    return math.prod(sizes.values())


register_analogue("ops.Matmul", "ops.Dot", "ops.Inner", "ops.Vdot", macs=_matmul)
register_analogue(layers.Dot, macs=_dot_layer)
register_analogue("ops.Tensordot", macs=_tensordot)
register_analogue("ops.Einsum", macs=_einsum)

# Arithmetic that is neither a product of two tensors nor element by element.
_UNCOUNTED = {
    *("FFT", "FFT2", "IFFT2", "RFFT", "IRFFT", "STFT", "ISTFT", "Cholesky", "Eig"),
    *("CholeskyInverse", "Det", "Eigh", "Inv", "LuFactor", "Qr", "Solve", "SVD"),
    *("SolveTriangular", "Lstsq", "Pinv", "CDist", "Slogdet", "Logdet", "Corrcoef"),
    *("Conv", "DepthwiseConv", "SeparableConv", "ConvTranspose", "Correlate", "Kron"),
    *("DotProductAttention", "GaussianBlur", "ElasticTransform", "SobelEdges", "SSIM"),
}
_ELEMENTWISE = (
    *("activations", "normalization", "regularization", "preprocessing", "reshaping"),
    *("pooling", "merging", "core.masking", "core.identity"),
)


def costs_nothing(layer: Operation) -> Rule | None:
    """The rule of a layer or operation without one of its own, where no spike arrives.

    Operations of `keras.ops` and layers of Keras that have no synapses cost nothing
    that this package counts; `None` for everything else.
    """
    module, name = type(layer).__module__, type(layer).__name__
    if module.startswith("keras.src.ops.") and name not in ("Function", "Cond", "Map"):
        if name in ("WhileLoop", "ForiLoop", "Scan", "AssociativeScan", "Switch"):
            return None
        note = "its arithmetic is not counted" if name in _UNCOUNTED else ""
        return Rule("analogue", note=note, free=True)
    rooms = tuple(f"keras.src.layers.{room}" for room in _ELEMENTWISE)
    if module.startswith(rooms):
        note = "its arithmetic is not counted" if "Spectrogram" in name else ""
        return Rule("analogue", note=note, free=True)
    return None
