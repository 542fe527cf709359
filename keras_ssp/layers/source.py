"""What a spiking layer's loop reads: its input, or what that was made of.

A batch norm, or `DirectEncoding`, straight before neurons makes an array as large as
their spikes. Where the backend's loop can (`keras_ssp.kernels.takes_source`), it reads
what went in and makes the rest again, each way: in a graph nothing else asks for the
array, and it is never made; in training it is not kept.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from keras import ops

from keras_ssp.graph import CallState
from keras_ssp.kernels import Affine, leaves_python
from keras_ssp.types import Tensor


class Source(NamedTuple):
    """What a loop reads.

    Args:
        x: `(batch, time, neurons)`, or `(batch, 1, neurons)` if all steps are the same.
        affine: What `x` was made of, if a batch norm made it.
        rows: Rows of the layer's input, `batch * time`.
    """

    x: Tensor
    affine: Affine | None
    rows: Tensor | int


def given(inputs: Tensor, steps: int) -> Source:
    """The input itself."""
    return Source(_folded(inputs, steps), None, ops.shape(inputs)[0])


def made_of(call: CallState, inputs: Tensor, steps: int) -> Source:
    """What the layer before has made the input of, if it is known; else the input.

    Args:
        call: The outermost call under way.
        inputs: `(batch * steps, ...)`.
        steps: T.
    """
    once = call.repeat_of(inputs)
    norm = call.made_of(inputs if once is None else once)
    if (once is None and norm is None) or leaves_python():
        return given(inputs, steps)  # a graph that leaves keeps the layers as they are
    if once is not None:
        inputs, repeats, steps = once, steps, 1
    else:
        repeats = 1
    features, x = tuple(inputs.shape[1:]), _folded(inputs, steps)
    # Of a shape that is asked for, the array would be made after all.
    read = inputs if norm is None else norm.inputs
    rows = ops.shape(read)[0] * repeats
    if norm is None or None in features:
        return Source(x, None, rows)
    scale, shift = (
        ops.reshape(ops.broadcast_to(each, features), (math.prod(features),))
        for each in (norm.scale, norm.shift)
    )
    return Source(x, Affine(_folded(norm.inputs, steps), scale, shift), rows)


def _folded(inputs: Tensor, steps: int) -> Tensor:
    """`(batch, steps, neurons)`: the loop does not care for their arrangement."""
    # Not -1: of an empty batch, as one of several replicas may get, it cannot be known.
    shape = ops.shape(inputs)
    return ops.reshape(inputs, (shape[0] // steps, steps, math.prod(shape[1:])))
