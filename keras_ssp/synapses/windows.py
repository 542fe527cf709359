"""Which output position of a convolution or a pooling reads which input position."""

from __future__ import annotations

import numpy as np

from keras_ssp.graph import Call
from keras_ssp.types import Array


def spatial_axes(call: Call) -> range:
    """Axes of the features (no batch) along which a convolution or pool slides."""
    rank = len(call.inputs[0].features)
    first = getattr(call.layer, "data_format", None) == "channels_first"
    return range(1, rank) if first else range(rank - 1)


def incidence(
    n: int, window: int, stride: int, padding: str, dilation: int = 1
) -> Array:
    """0/1 matrix: which output position (row) reads which input position."""
    reach = (window - 1) * dilation + 1
    if padding == "same":
        outputs = -(-n // stride)
        before = max((outputs - 1) * stride + reach - n, 0) // 2
    else:
        before = reach - 1 if padding == "causal" else 0
        outputs = (n + before - reach) // stride + 1
    starts = np.arange(outputs)[:, None, None] * stride - before
    reads = starts + np.arange(window)[None, :, None] * dilation
    found: Array = (reads == np.arange(n)[None, None, :]).any(axis=1)
    return found.astype("float64")
