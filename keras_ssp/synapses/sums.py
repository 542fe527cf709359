"""Sums of many small whole numbers that lose nothing to float32.

float32 holds whole numbers up to 2^24. A sum of more is kept in two parts, `4096 * high
+ low`, each of which stays below that; Python adds them up in float64.
"""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops

from keras_ssp.kernels import row_sums
from keras_ssp.types import Array, Tensor

_UNIT = 4096.0
#: Below this every whole number is a float32.
EXACT = 2.0**24
# So many parts below 4096 are added up at once: 2^11 * 2^12 < 2^24.
_CHUNK = 2048


def weighted_sum(events: Tensor, weight: Array, largest: float) -> Tensor:
    """`sum_i weight_i * event_i` for each row, in float32, `(rows,)`.

    Args:
        events: `(rows, ...)`, float32.
        weight: Broadcasts against the features.
        largest: The sum where every event is 1.
    """
    w = ops.convert_to_tensor(np.asarray(weight, "float32"))
    if largest >= EXACT:
        return _by_axes(events, w)
    features = tuple(events.shape[1:])
    if max(w.shape, default=1) > 1 and None not in features:
        size = (math.prod(features),)
        each = ops.reshape(ops.broadcast_to(w, features), size)
        found = row_sums(ops.reshape(events, (ops.shape(events)[0], *size)), each)
        if found is not None:
            return found
    # Sum first where the weight is constant, then weigh what is left.
    shared = [k + 1 for k, n in enumerate(w.shape) if n == 1]
    if shared:
        events = ops.sum(events, axis=tuple(shared), keepdims=True)
    left = tuple(range(1, w.ndim + 1))
    return ops.sum(events * w, axis=left) if left else events * w


def _by_axes(events: Tensor, w: Tensor) -> Tensor:
    """The same axis by axis, sums and products by ones in turn.

    One running sum over a whole map, which XLA makes of sums that follow each other, is
    wrong by 2e-6 of 4e9; a compiler does not merge a sum with a product.
    """
    weighed = False
    for k in reversed(range(1, len(events.shape))):
        if w.shape[k - 1] != 1 and not weighed:
            events, weighed = events * w, True
        if k % 2:
            events = ops.sum(events, axis=k)
        else:
            ones = ops.ones((events.shape[k], 1), dtype="float32")
            events = ops.squeeze(ops.matmul(events, ones), axis=-1)
        if not weighed:
            w = ops.squeeze(w, axis=k - 1)
    return events if weighed else events * w


def exact_sum(events: Tensor, weight: Array) -> Tensor:
    """`sum_i weight_i * event_i` for each row, exact for whole numbers, `(rows, 2)`.

    Args:
        events: `(rows, ...)`, float32 whole numbers of at least 0.
        weight: Broadcasts against the features.
    """
    rows = ops.shape(events)[0]
    shape = tuple(int(n) for n in events.shape[1:])
    weight = np.asarray(weight, "float64")
    # Axes along which the weight is constant last: they are added up before it is met.
    shared = [k for k, n in enumerate(weight.shape) if n == 1]
    kept = [k for k, n in enumerate(weight.shape) if n > 1]
    events = ops.transpose(
        events, (0, *(k + 1 for k in kept), *(k + 1 for k in shared))
    )
    outer = math.prod(shape[k] for k in kept)
    inner = math.prod(shape[k] for k in shared)
    events = ops.reshape(events, (rows, outer, inner))
    count = carried(*_parts(events))
    high, low = count[..., 0], count[..., 1]
    w = weight.transpose(*kept, *shared).reshape(outer)
    w_high, w_low = np.floor(w / _UNIT), w % _UNIT
    w_high, w_low = (
        ops.convert_to_tensor(np.asarray(part, "float32")) for part in (w_high, w_low)
    )
    # (4096 a + b)(4096 c + d) = 4096 (4096 a c + a d + b c) + b d
    product_low = low * w_low
    carry, product_low = _parts(product_low)
    product_high = _UNIT * (high * w_high) + high * w_low + low * w_high + carry
    return carried(product_high, product_low)


def parts(x: Tensor) -> Tensor:
    """A number in two parts, `(...)` to `(..., 2)`."""
    return ops.stack(_parts(x), axis=-1)


def _parts(x: Tensor) -> tuple[Tensor, Tensor]:
    high = ops.floor(x / _UNIT)
    return high, x - _UNIT * high


def carried(high: Tensor, low: Tensor) -> Tensor:
    """Adds up the last axis of numbers in two parts, `(..., n)` to `(..., 2)`."""
    while low.shape[-1] > 1:
        n = low.shape[-1]
        size = min(n, _CHUNK)
        chunks = -(-n // size)
        high, low = (_chunked(x, chunks, size) for x in (high, low))
        high, low = ops.sum(high, axis=-1), ops.sum(low, axis=-1)
        more, low = _parts(low)
        high = high + more
    return ops.concatenate([high, low], axis=-1)


def _chunked(x: Tensor, chunks: int, size: int) -> Tensor:
    missing = chunks * size - x.shape[-1]
    if missing:
        x = ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, missing)])
    return ops.reshape(x, (*ops.shape(x)[:-1], chunks, size))


def joined(values: object) -> Array:
    """Numbers in two parts, `(..., 2)`, as float64."""
    both = np.asarray(keras.ops.convert_to_numpy(values), "float64")
    return _UNIT * both[..., 0] + both[..., 1]
