"""Networks without branches, written down as a layer table."""

from __future__ import annotations

from collections.abc import Sequence

from keras_ssp.models.builder import NetworkBuilder
from keras_ssp.types import Tensor

POOL = "pool"  # an entry of a layer table


def chain(
    net: NetworkBuilder,
    x: Tensor,
    features: Sequence[int | str],
    hidden: Sequence[int],
) -> Tensor:
    """The logits of a network without branches.

    Args:
        net: The builder.
        x: The network's input.
        features: Filters of 3x3 convolutions, and `POOL`, in order; the first is the
            stem's.
        hidden: Units of the dense layers before the last one.
    """
    first, *rest = features
    y = net.stem(x, int(first))
    for entry in rest:
        y = net.pool(y) if isinstance(entry, str) else net.neurons(net.conv(y, entry))
    y = net.flatten(y)
    for units in hidden:
        y = net.neurons(net.dense(y, units))
    return net.head(y)
