"""The loop over time in chunks of a few steps, for compilers that fuse.

Written out over all of T, a compiler that fuses computes step t again from step 0 for
each t; as a loop over single steps, it writes every state to memory and reads it back.
In between lies the fast way, on XLA:

1. A loop over chunks of `CHUNK` steps keeps the state before each chunk alone.
2. From these states, all steps of all chunks are found at once: one pass that reads the
   input and writes the output, and runs at most `CHUNK` steps again per step.

The states before chunks are kept for the backward pass, which does the same from the
end: a loop from the last chunk to the first for the gradients that reach each chunk's
last state, and one pass over all.

What was measured is in docs/performance.md.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_ssp.kernels.dynamics import LoopSpec, loop_dtype
from keras_ssp.kernels.loop import (
    Inlet,
    Scaling,
    States,
    backward_unrolled,
    entered,
    forward_unrolled,
    initial_state,
    outputs_unrolled,
    scaled,
    totals,
)
from keras_ssp.types import Tensor

#: Steps of a chunk. With fewer, more states go through memory; with more, more steps
#: are run again.
CHUNK = 4

#: States before each chunk, with a first axis of chunks; and after the last one.
Kept = tuple[States, States]
Carry = Any
Body = Callable[[Carry, Tensor], tuple[Carry, States]]


@dataclasses.dataclass(frozen=True)
class Backend:
    """What a backend lends to the loop over chunks.

    Args:
        index: `index(x, k, axis)` is `x` at place `k`, a traced number, of an axis.
        scan: `scan(body, carry, count, like, backward=False)` does
            `carry, written = body(carry, k)` for k = 0 ... count - 1, or backward. It
            returns the last carry, and all that was written, with a first axis of
            length `count` in the order of k. What is written is of the shapes of
            `like`.
        written_out: Up to so many chunks, the loop that finds the states before them
            is faster written out. Defaults to 0.
    """

    index: Callable[[Tensor, Tensor, int], Tensor]
    scan: Callable[..., tuple[Carry, States]]
    written_out: int = 0


def can_be_chunked(parameters: Sequence[Tensor]) -> bool:
    """Whether neurons are on their own: a matrix is dear to apply again."""
    return all(len(parameter.shape) < 2 for parameter in parameters)


def forward_chunked(
    x: Tensor,
    parameters: States,
    spec: LoopSpec,
    backend: Backend,
    scaling: Scaling | None = None,
) -> tuple[tuple[Tensor, ...], Kept]:
    """Spikes and recorded states, each `(batch, time, neurons)`; and what to keep.

    Args:
        x: Input current, `(batch, time, neurons)`.
        parameters: The parameters, in the dtype of the loop.
        spec: The loop.
        backend: What the backend lends.
        scaling: What `x` is to be scaled and shifted by, if anything.
    """
    steps = _Steps(x, spec, backend, scaling)
    before, after = kept = _states_around(steps, parameters)

    rest, _ = outputs_unrolled(steps.inputs(steps.of_rest), parameters, spec, after)
    if not steps.chunks:
        return tuple(steps.joined([], each) for each in rest), kept
    rows = steps.rows(before)
    given = steps.inputs(steps.of_chunks)
    chunks, _ = outputs_unrolled(given, parameters, spec, rows)
    both = zip(chunks, rest, strict=True)
    return tuple(steps.joined(*parts) for parts in both), kept


def backward_chunked(
    x: Tensor,
    parameters: States,
    kept: Kept,
    upstream: Sequence[Tensor],
    spec: LoopSpec,
    backend: Backend,
    inlet: Inlet | None = None,
    scaling: Scaling | None = None,
) -> tuple[Tensor, States]:
    """Gradient with respect to the input, and to each parameter.

    Args:
        x: Input current, `(batch, time, neurons)`.
        parameters: The parameters, in the dtype of the loop.
        kept: What the forward pass kept.
        upstream: Gradient that reaches the spikes, then each recorded state.
        spec: The loop.
        backend: What the backend lends.
        inlet: What enters beside the gradient of the spikes.
        scaling: What `x` is to be scaled and shifted by, if anything. The gradient is
            that with respect to what comes of it.
    """
    steps = _Steps(x, spec, backend, scaling)
    before, after = kept

    def back(
        choose: Callable[[Tensor], list[Tensor]], state: States, reaching: States
    ) -> tuple[list[Tensor], States, States]:
        gradients = [choose(gradient) for gradient in upstream]
        if inlet is not None:
            # Step by step: of all steps at once, it would go through memory.
            gradients[0] = list(map(entered, gradients[0], inlet.steps(choose)))
        return backward_unrolled(
            steps.inputs(choose), parameters, gradients, spec, state, reaching
        )

    nothing = tuple(map(ops.zeros_like, after))
    rest, reaching, sums = back(steps.of_rest, after, nothing)
    # Of an input that is the same at each step, the gradient is the sum over all.
    total: States = (_total(rest),) if steps.once else ()

    def body(carry: Carry, k: Tensor) -> tuple[Carry, States]:
        reaching, sums, total = carry
        state = tuple(backend.index(s, k, 0) for s in before)
        found, earlier, terms = back(lambda a: steps.of_chunk(a, k), state, reaching)
        total = tuple(each + _total(found) for each in total)
        return (earlier, tuple(map(ops.add, sums, terms)), total), reaching

    if steps.chunks:
        (_, sums, total), reaching = backend.scan(
            body, (reaching, sums, total), steps.chunks, reaching, backward=True
        )
    if steps.once:
        dx = ops.cast(total[0][:, None], x.dtype)
        return dx, totals(sums, parameters, spec)
    if not steps.chunks:
        return steps.joined([], rest), totals(sums, parameters, spec)
    chunks, _, _ = back(steps.of_chunks, steps.rows(before), steps.rows(reaching))
    return steps.joined(chunks, rest), totals(sums, parameters, spec)


def _states_around(steps: _Steps, parameters: States) -> Kept:
    def body(state: States, k: Tensor) -> tuple[States, States]:
        given = steps.inputs(lambda a: steps.of_chunk(a, k))
        _, after = forward_unrolled(given, parameters, steps.spec, state)
        return after[-1], state

    state = initial_state(steps.first(), steps.spec)
    if not steps.chunks:
        return (), state
    if steps.chunks <= steps.backend.written_out:
        return _states_written_out(steps, parameters, state)
    after, before = steps.backend.scan(body, state, steps.chunks, state)
    return before, after


def _states_written_out(steps: _Steps, parameters: States, state: States) -> Kept:
    # XLA fuses no division into two others, so each chunk goes on from what the one
    # before left and does not run it again. What divides is 1, which XLA does not see;
    # the code that comes of it sees it, and does not divide.
    number = ops.cast(steps.x[:1, 0, :1], "int32")
    one = ops.cast(ops.not_equal(ops.bitwise_or(number, 1), 0), steps.dtype)
    before: list[States] = []
    for k in range(steps.chunks):
        before.append(state)
        times = range(k * CHUNK, (k + 1) * CHUNK)
        given = steps.inputs(functools.partial(steps.at, times=times))
        _, after = forward_unrolled(given, parameters, steps.spec, state)
        state = tuple(each / one for each in after[-1])
    return tuple(map(ops.stack, zip(*before, strict=True))), state


def _total(steps: Sequence[Tensor]) -> Tensor:
    return functools.reduce(ops.add, steps)


class _Steps:
    """The steps of arrays `(batch, time, neurons)`, in whole chunks and a rest.

    An array of one step, `(batch, 1, neurons)`, is the same at each.
    """

    def __init__(
        self, x: Tensor, spec: LoopSpec, backend: Backend, scaling: Scaling | None
    ) -> None:
        self.x = x
        self.scaling = scaling
        self.spec = spec
        self.backend = backend
        # The last steps are the rest, also where they would fill a chunk: the state
        # after them is of no use.
        self.chunks = (spec.time_steps - 1) // CHUNK
        self.once = x.shape[1] == 1 and spec.time_steps > 1
        self.dtype = loop_dtype(keras.backend.standardize_dtype(x.dtype))

    def first(self) -> Tensor:
        """The first step."""
        return ops.cast(self.x[:, 0], self.dtype)

    def inputs(self, choose: Callable[[Tensor], list[Tensor]]) -> list[Tensor]:
        """Some steps of the input, scaled and shifted."""
        # Step by step: of all steps at once, it would go through memory.
        return [scaled(step, self.scaling) for step in choose(self.x)]

    def of_chunk(self, values: Tensor, k: Tensor) -> list[Tensor]:
        """The steps of chunk `k`, each `(batch, neurons)`."""
        if values.shape[1] == 1:
            return [ops.cast(values[:, 0], self.dtype)] * CHUNK
        # Each for itself: XLA on CPUs can't vectorise slices of a moving slice.
        found = (self.backend.index(values, k * CHUNK + c, 1) for c in range(CHUNK))
        return [ops.cast(step, self.dtype) for step in found]

    def of_chunks(self, values: Tensor) -> list[Tensor]:
        """Step c of all chunks for each c, as rows: `(batch * chunks, neurons)`."""
        if values.shape[1] == 1:
            each = ops.repeat(values[:, 0], self.chunks, axis=0)
            return [ops.cast(each, self.dtype)] * CHUNK
        whole = values[:, : self.chunks * CHUNK]
        rows = (ops.shape(values)[0] * self.chunks, CHUNK, values.shape[-1])
        whole = ops.cast(ops.reshape(whole, rows), self.dtype)
        return [whole[:, c] for c in range(CHUNK)]

    def of_rest(self, values: Tensor) -> list[Tensor]:
        """The steps after the chunks, 1 to `CHUNK`, each `(batch, neurons)`."""
        return self.at(values, range(self.chunks * CHUNK, self.spec.time_steps))

    def at(self, values: Tensor, times: range) -> list[Tensor]:
        """The steps at some times, each `(batch, neurons)`."""
        if values.shape[1] == 1:
            return [ops.cast(values[:, 0], self.dtype)] * len(times)
        return [ops.cast(values[:, t], self.dtype) for t in times]

    def rows(self, states: States) -> States:
        """`(chunks, batch, neurons)` as rows: `(batch * chunks, neurons)`."""
        rows = (ops.shape(self.x)[0] * self.chunks, self.x.shape[-1])
        return tuple(ops.reshape(ops.transpose(s, (1, 0, 2)), rows) for s in states)

    def joined(self, chunks: Sequence[Tensor], rest: Sequence[Tensor]) -> Tensor:
        """All steps, `(batch, time, neurons)`, in the dtype of `x`."""
        batch, _, neurons = ops.shape(self.x)
        parts = []
        if self.chunks:
            shape = (batch, self.chunks * CHUNK, neurons)
            parts.append(ops.reshape(_interleaved(chunks), shape))
        parts.append(_interleaved(rest))
        whole = parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)
        return ops.cast(whole, self.x.dtype)


def _interleaved(parts: Sequence[Tensor]) -> Tensor:
    """`(rows, neurons)` each to `(rows, parts, neurons)`, as `stack(parts, axis=1)`.

    XLA on CPUs writes a stack part by part, and so reads all inputs again for each; a
    choice by number is one pass.
    """
    if len(parts) == 1:
        return parts[0][:, None]
    number = ops.reshape(ops.arange(len(parts)), (1, -1, 1))
    level, bit = [part[:, None] for part in parts], 1
    while len(level) > 1:
        odd = (number & bit) > 0
        pairs = zip(level[::2], level[1::2], strict=False)
        last = level[-1:] if len(level) % 2 else []
        level = [*(ops.where(odd, b, a) for a, b in pairs), *last]
        bit *= 2
    return level[0]
