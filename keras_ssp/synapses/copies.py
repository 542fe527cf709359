"""Layers and operations that only move events: each output element is an input element.

What moves where is not derived from arguments but seen: the operation runs once on the
numbers of the input elements, and the numbers that come out say where each came from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_ssp.graph import Call, run
from keras_ssp.synapses.taps import Tap, compact, full
from keras_ssp.types import Array, Sizes


def moved(call: Call, tap: Tap, output: int) -> list[list[Tap]]:
    """The route rule of all that only moves, drops or repeats elements."""
    if tap.path:
        if len(call.inputs) > 1 or len(call.outputs) > 1:
            raise ValueError(
                f"Layer '{call.name}' joins or splits spikes before the max pooling "
                f"'{tap.path[0].name}'. Remedy: put the max pooling before "
                f"'{call.name}'."
            )
        return [[Tap(tap.weight, tap.size, (as_layer(call), *tap.path))]]
    sizes = [sizes_in(call, k) for k in range(len(call.inputs))]
    source = origin(call, sizes)[output]
    weight = full(tap.weight, tap.size).ravel()
    pulled, first = [], 0
    for size in sizes:
        n = math.prod(size)
        mine = (source >= first) & (source < first + n)
        found = np.bincount(source[mine] - first, weights=weight[mine], minlength=n)
        pulled.append([Tap(compact(found.reshape(size)), size)])
        first += n
    return pulled


def origin(call: Call, sizes: Sequence[Sizes]) -> list[Array]:
    """For each output its elements, flat: the number of the input element, or -1.

    Inputs are numbered one after the other. -1 stands for a zero that was put in.

    Raises:
        ValueError: If an element is not one input element of its own row.
    """
    total = sum(map(math.prod, sizes))
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(total) + 2 * total  # what is put in stays as it is
    plain, other = (
        _outputs(call, sizes, n) for n in (np.arange(1, total + 1), shuffled)
    )
    found = []
    for a, b in zip(plain, other, strict=True):
        rows = a.reshape(2, -1) if len(a.shape) and a.shape[0] == 2 else None
        if rows is None:
            raise _mixes_rows(call)
        first, second = rows[0], rows[1]
        read = first > 0
        whole = np.all(first == np.rint(first)) and first.max(initial=0) <= total
        index = np.where(read, first, 1).astype("int64") - 1
        if not whole or not np.array_equal(
            np.where(read, shuffled[index], 0), b.reshape(2, -1)[0]
        ):
            raise ValueError(
                f"Layer '{call.name}' ({type(call.layer).__name__}) puts other values "
                "among the spikes, or computes with them, which cannot be counted "
                "here. Remedy: move it before the spiking layer or after the synapse."
            )
        if not np.array_equal(second, np.where(read, first + 4 * total, 0)):
            raise _mixes_rows(call)
        found.append(np.where(read, index, -1))
    return found


def _outputs(call: Call, sizes: Sequence[Sizes], numbers: Array) -> list[Array]:
    tensors, first = [], 0
    total = sum(map(math.prod, sizes))
    for size in sizes:
        n = math.prod(size)
        one = numbers[first : first + n].reshape(1, *size)
        # Two rows: nothing may move from one to the other, where time is folded.
        both = np.concatenate([one, one + 4 * total]).astype("int32")
        tensors.append(ops.convert_to_tensor(both))
        first += n
    try:
        outputs = run(call, tensors)
    except Exception:  # not every operation takes integers
        outputs = run(call, [ops.cast(t, "float32") for t in tensors])
    return [np.asarray(ops.convert_to_numpy(y), "float64") for y in outputs]


def _mixes_rows(call: Call) -> ValueError:
    return ValueError(
        f"Layer '{call.name}' moves elements between the batch axis and the features, "
        "where time is folded. Remedy: leave axis 0 alone."
    )


def as_layer(call: Call) -> keras.layers.Layer:
    """What is called, as a layer of one input: an operation keeps its arguments."""
    if isinstance(call.layer, keras.layers.Layer):
        return call.layer
    x = keras.Input(sizes_in(call))
    (y,) = run(call, [x], type(call.layer).from_config(call.layer.get_config()))
    return keras.Model(x, y, name=str(call.layer.name))


def sizes_in(call: Call, k: int = 0) -> Sizes:
    """Features of a call's k-th input."""
    return tuple(int(n or 0) for n in call.inputs[k].features)
