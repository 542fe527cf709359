"""Padded sequences: steps of the folded time axis that hold no data.

A mask reaches the encoding layer as `(batch, T)`; which rows are real travels with the
call (`CallState.valid`) to the spiking layers, the readout and the energy meter. A step
without data costs nothing and changes nothing: no event is made in it, the neurons stay
as they are, and no readout reads it.
"""

from __future__ import annotations

from collections.abc import Callable

from keras import ops

from keras_ssp.types import Tensor


def over_features(valid: Tensor, like: Tensor) -> Tensor:
    """`(a, ..., b)` booleans with axes of 1 behind them, for a tensor of more axes."""
    missing = len(like.shape) - len(valid.shape)
    return ops.reshape(valid, (*ops.shape(valid), *(1,) * missing))


def only_valid(x: Tensor, valid: Tensor) -> Tensor:
    """Zeros where a row holds no data."""
    return ops.where(over_features(valid, x), x, ops.zeros_like(x))


def real_steps_first(
    x: Tensor, valid: Tensor
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Moves the steps that hold data to the front, as if nothing lay between them.

    Neurons then run over them without a gap; what they do afterwards is thrown away.

    Args:
        x: `(batch, T, neurons)`.
        valid: `(batch, T)` booleans.

    Returns:
        `x` in the new order, and a function that puts such a tensor back into the old
        order, with zeros where there is no data.
    """
    steps = x.shape[1]
    rank = ops.arange(steps, dtype="int32") + steps * ops.cast(
        ops.logical_not(valid), "int32"
    )
    order = ops.argsort(rank, axis=1)
    back = ops.argsort(order, axis=1)

    def restore(y: Tensor) -> Tensor:
        return only_valid(_reordered(y, back), valid)

    return _reordered(x, order), restore


def _reordered(x: Tensor, order: Tensor) -> Tensor:
    index = ops.broadcast_to(ops.expand_dims(order, -1), ops.shape(x))
    return ops.take_along_axis(x, index, axis=1)
