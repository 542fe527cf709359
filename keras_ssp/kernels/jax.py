"""The time loop on JAX: unrolled for few steps, `lax.scan` for many."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from keras_ssp.kernels.dynamics import LoopSpec, loop_dtype
from keras_ssp.kernels.loop import (
    States,
    backward_unrolled,
    forward_unrolled,
    initial_state,
    step,
    step_back,
    totals,
    zero_sums,
)
from keras_ssp.types import Tensor


def run_loop(
    x: Tensor, parameters: tuple[Tensor, ...], spec: LoopSpec
) -> tuple[Tensor, ...]:
    """See `keras_ssp.kernels.run_loop`."""
    return tuple(_with_gradient(spec)(x, tuple(map(jnp.asarray, parameters))))


@functools.lru_cache(maxsize=256)
def _with_gradient(spec: LoopSpec) -> Callable[..., tuple[Tensor, ...]]:
    @jax.custom_vjp
    def run(x: Tensor, parameters: States) -> tuple[Tensor, ...]:
        return _forward(spec, x, parameters)

    def forward(
        x: Tensor, parameters: States
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, States]]:
        # Only the inputs are kept; states are recomputed on the way back.
        return _forward(spec, x, parameters), (x, parameters)

    def backward(
        kept: tuple[Tensor, States], upstream: States
    ) -> tuple[Tensor, States]:
        return _backward(spec, *kept, upstream)

    run.defvjp(forward, backward)
    return run


def _forward(spec: LoopSpec, x: Tensor, parameters: States) -> tuple[Tensor, ...]:
    xs, wide = _time_first(x), _wide(x, parameters)
    if spec.unrolled:
        spikes, states = forward_unrolled(list(xs), wide, spec)
        recorded = [[state[k] for state in states] for k in spec.record]
        outputs = [jnp.stack(steps) for steps in (spikes, *recorded)]
    else:

        def body(state: States, x: Tensor) -> tuple[States, tuple[Tensor, ...]]:
            s, state = step(spec, state, x, wide)
            return state, (s, *(state[k] for k in spec.record))

        _, outputs = jax.lax.scan(body, initial_state(xs[0], spec), xs)
    return tuple(jnp.swapaxes(o, 0, 1).astype(x.dtype) for o in outputs)


def _backward(
    spec: LoopSpec, x: Tensor, parameters: States, upstream: States
) -> tuple[Tensor, States]:
    xs, wide = _time_first(x), _wide(x, parameters)
    gradients = [_time_first(gradient) for gradient in upstream]
    if spec.unrolled:
        dxs, d_parameters = backward_unrolled(
            list(xs), wide, [list(gradient) for gradient in gradients], spec
        )
        dx = jnp.stack(dxs)
    else:
        dx, d_parameters = _backward_scan(spec, xs, wide, gradients)
    return (
        jnp.swapaxes(dx, 0, 1).astype(x.dtype),
        tuple(
            jnp.asarray(gradient, parameter.dtype)
            for gradient, parameter in zip(d_parameters, parameters, strict=True)
        ),
    )


def _backward_scan(
    spec: LoopSpec, xs: Tensor, parameters: States, gradients: list[Tensor]
) -> tuple[Tensor, States]:
    initial = initial_state(xs[0], spec)

    def keep(state: States, x: Tensor) -> tuple[States, States]:
        _, after = spec.dynamics.forward(state, x, parameters)
        return after, state

    def back(
        carry: tuple[States, States], step: tuple[States, Tensor, list[Tensor]]
    ) -> tuple[tuple[States, States], Tensor]:
        before, x, (ds, *d_recorded) = step
        dx, d_state, sums = step_back(
            before, x, parameters, ds, d_recorded, *carry, spec
        )
        return (d_state, sums), dx

    _, before = jax.lax.scan(keep, initial, xs)
    zeros = (jnp.zeros_like(xs[0]),) * len(initial)
    carry = (zeros, zero_sums(xs[0], parameters))
    (_, sums), dx = jax.lax.scan(back, carry, (before, xs, gradients), reverse=True)
    return dx, totals(sums, parameters, spec)


def _time_first(x: Tensor) -> Tensor:
    return jnp.swapaxes(x.astype(loop_dtype(x.dtype.name)), 0, 1)


def _wide(x: Tensor, parameters: States) -> States:
    dtype = loop_dtype(x.dtype.name)
    return tuple(parameter.astype(dtype) for parameter in parameters)
