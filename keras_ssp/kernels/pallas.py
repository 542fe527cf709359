"""The loop on GPUs with JAX: one Pallas kernel each way, states in registers.

A program of the grid takes a block of neurons, of any samples, through all steps:
forward it reads the input once and writes the output once. Backward it needs the
states in reverse order; up to `WHOLE` steps they stay in registers. Above that, the
states before each chunk are written to memory on a way forward, and each chunk is run
again on the way back.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from keras_ssp.kernels.dynamics import LoopSpec, loop_dtype
from keras_ssp.kernels.loop import (
    States,
    backward_unrolled,
    forward_unrolled,
    initial_state,
    outputs_unrolled,
    totals,
)
from keras_ssp.types import Tensor

#: Up to this many steps are written out, and their states stay in registers.
WHOLE = 16
#: Steps of a chunk above that.
CHUNK = 8
#: Neurons of a block.
BLOCK = 256
_WARPS = 4
#: Places are counted in 32 bits.
_LARGEST = 2**31 - 1


def can_run(x: Tensor, parameters: Sequence[Tensor]) -> bool:
    """Whether the kernels take such input: neurons on their own, 16 or 32 bits."""
    return (
        all(parameter.ndim < 2 for parameter in parameters)
        and x.dtype != jnp.float64
        and 0 < x.size + BLOCK <= _LARGEST
    )


def forward(
    x: Tensor, parameters: States, spec: LoopSpec, *, interpret: bool = False
) -> tuple[Tensor, ...]:
    """Spikes and recorded states, each `(batch, time, neurons)` in the dtype of `x`.

    Args:
        x: Input current, `(batch, time, neurons)`.
        parameters: The parameters, each a scalar or `(neurons,)`.
        spec: The loop.
        interpret: Whether it runs without a GPU, slowly. For tests.
    """
    outputs = 1 + len(spec.record)

    def kernel(*refs: Any) -> None:
        (
            x_ref,
            *parameter_refs,
        ) = refs[: len(refs) - outputs]
        cells = _Cells(x.shape, refs[0].dtype)
        wide = cells.parameters(parameter_refs)

        def run(t: Tensor | int, steps: int, state: States) -> States:
            xs = [cells.load(x_ref, t + c) for c in range(steps)]
            found, state = outputs_unrolled(xs, wide, spec, state)
            for ref, values in zip(refs[-outputs:], found, strict=True):
                for c, value in enumerate(values):
                    cells.store(ref, t + c, value)
            return state

        state = initial_state(cells.zeros(), spec)
        chunks, rest = _chunks(spec.time_steps)
        state = jax.lax.fori_loop(
            0, chunks, lambda k, state: run(k * CHUNK, CHUNK, state), state
        )
        run(chunks * CHUNK, rest, state)

    flat = jax.ShapeDtypeStruct((x.size,), x.dtype)
    found = _call(kernel, x.shape, [flat] * outputs, interpret=interpret)(
        x.reshape(-1), *map(_vector, parameters)
    )
    return tuple(y.reshape(x.shape) for y in found)


def backward(
    x: Tensor,
    parameters: States,
    upstream: Sequence[Tensor],
    spec: LoopSpec,
    *,
    interpret: bool = False,
) -> tuple[Tensor, States]:
    """Gradient with respect to the input, and to each parameter.

    Args:
        x: Input current, `(batch, time, neurons)`.
        parameters: The parameters, each a scalar or `(neurons,)`.
        upstream: Gradient that reaches the spikes, then each recorded state.
        spec: The loop.
        interpret: Whether it runs without a GPU, slowly. For tests.
    """
    batch, _, neurons = x.shape
    chunks, _ = _chunks(spec.time_steps)
    learned = [k for k, wanted in enumerate(spec.learned) if wanted]
    kernel = functools.partial(_backward_kernel, x.shape, spec, len(parameters))
    wide = jnp.dtype(loop_dtype(x.dtype.name))
    per_neuron = batch * neurons
    outputs = [
        jax.ShapeDtypeStruct((x.size,), x.dtype),
        *[jax.ShapeDtypeStruct((per_neuron,), wide)] * len(learned),
        *[jax.ShapeDtypeStruct((max(chunks, 1) * per_neuron,), wide)]
        * len(spec.dynamics.state),
    ]
    found = _call(kernel, x.shape, outputs, interpret=interpret)(
        x.reshape(-1),
        *map(_vector, parameters),
        *(gradient.reshape(-1) for gradient in upstream),
    )
    sums = dict(zip(learned, found[1:], strict=False))
    terms = tuple(
        sums[k].reshape(batch, neurons) if k in sums else jnp.zeros((), wide)
        for k in range(len(parameters))
    )
    return found[0].reshape(x.shape), totals(terms, parameters, spec)


def _backward_kernel(
    shape: tuple[int, ...], spec: LoopSpec, parameters: int, *refs: Any
) -> None:
    """One block: to the last step, which leaves states behind, and back."""
    chunks, rest = _chunks(spec.time_steps)
    learned = [k for k, wanted in enumerate(spec.learned) if wanted]
    inputs = 2 + parameters + len(spec.record)
    x_ref, *parameter_refs = refs[: 1 + parameters]
    gradient_refs = refs[1 + parameters : inputs]
    dx_ref, *others = refs[inputs:]
    sum_refs, kept_refs = others[: len(learned)], others[len(learned) :]
    cells = _Cells(shape, x_ref.dtype)
    wide = cells.parameters(parameter_refs)

    def load(ref: Any, t: Tensor | int, steps: int) -> list[Tensor]:
        return [cells.load(ref, t + c) for c in range(steps)]

    def keep(k: Tensor, state: States) -> States:
        for ref, value in zip(kept_refs, state, strict=True):
            cells.store_state(ref, k, value)
        xs = load(x_ref, k * CHUNK, CHUNK)
        return forward_unrolled(xs, wide, spec, state)[1][-1]

    def back(t: Tensor | int, steps: int, state: States, carry: Any) -> Any:
        d_state, sums = carry
        gradients = [load(ref, t, steps) for ref in gradient_refs]
        dxs, d_state, terms = backward_unrolled(
            load(x_ref, t, steps), wide, gradients, spec, state, d_state
        )
        for c, dx in enumerate(dxs):
            cells.store(dx_ref, t + c, dx)
        return d_state, tuple(map(jnp.add, sums, terms))

    def chunk_back(j: Tensor, carry: Any) -> Any:
        k = chunks - 1 - j
        state = tuple(cells.load_state(ref, k) for ref in kept_refs)
        return back(k * CHUNK, CHUNK, state, carry)

    state = initial_state(cells.zeros(), spec)
    nothing = cells.zeros()
    carry = ((nothing,) * len(state), (nothing,) * parameters)
    state = jax.lax.fori_loop(0, chunks, keep, state)
    carry = back(chunks * CHUNK, rest, state, carry)
    _, sums = jax.lax.fori_loop(0, chunks, chunk_back, carry)
    for ref, k in zip(sum_refs, learned, strict=True):
        cells.store_state(ref, 0, sums[k])


def _chunks(steps: int) -> tuple[int, int]:
    """How many chunks there are, and how many steps after them, at least one."""
    chunks = 0 if steps <= WHOLE else (steps - 1) // CHUNK
    return chunks, steps - chunks * CHUNK


def _vector(parameter: Tensor) -> Tensor:
    return parameter.reshape(-1)


def _call(
    kernel: Callable[..., None],
    shape: tuple[int, ...],
    outputs: list[jax.ShapeDtypeStruct],
    *,
    interpret: bool,
) -> Callable[..., Sequence[Tensor]]:
    batch, _, neurons = shape
    call: Callable[..., Sequence[Tensor]] = pl.pallas_call(
        kernel,
        out_shape=outputs,
        grid=(math.ceil(batch * neurons / BLOCK),),
        compiler_params=triton.CompilerParams(num_warps=_WARPS, num_stages=1),
        interpret=interpret,
    )
    return call


class _Cells:
    """A block of neurons, of whichever samples, and where their values lie."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        batch, steps, self.neurons = shape
        self.per_step = batch * self.neurons
        self.dtype = jnp.dtype(loop_dtype(jnp.dtype(dtype).name))
        first = pl.program_id(0) * BLOCK
        self.number = first + jnp.arange(BLOCK, dtype=jnp.int32)
        self.inside = self.number < self.per_step
        if self.neurons % BLOCK == 0:  # all of one sample, side by side
            start = first // self.neurons * ((steps - 1) * self.neurons)
            self.place = start + self.number
        else:
            sample = self.number // self.neurons
            self.place = sample * ((steps - 1) * self.neurons) + self.number

    def zeros(self) -> Tensor:
        return jnp.zeros((BLOCK,), self.dtype)

    def load(self, ref: Any, t: Tensor | int) -> Tensor:
        """Values of step `t`."""
        return self._load(ref, self.place + t * self.neurons)

    def store(self, ref: Any, t: Tensor | int, value: Tensor) -> None:
        self._store(ref, self.place + t * self.neurons, value)

    def load_state(self, ref: Any, k: Tensor | int) -> Tensor:
        """A state that was kept before chunk `k`."""
        return self._load(ref, self.number + k * self.per_step)

    def store_state(self, ref: Any, k: Tensor | int, value: Tensor) -> None:
        self._store(ref, self.number + k * self.per_step, value)

    def parameters(self, refs: Sequence[Any]) -> States:
        """One number for all neurons of the block, or each neuron's own."""
        own = self.number % self.neurons
        return tuple(
            ref[0].astype(self.dtype) if ref.shape == (1,) else self._load(ref, own)
            for ref in refs
        )

    def _load(self, ref: Any, place: Tensor) -> Tensor:
        found = triton.load(ref.at[place], mask=self.inside, other=0.0)
        return found.astype(self.dtype)

    def _store(self, ref: Any, place: Tensor, value: Tensor) -> None:
        value = jnp.broadcast_to(value, (BLOCK,)).astype(ref.dtype)
        triton.store(ref.at[place], value, mask=self.inside)
