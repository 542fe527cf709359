"""The time loop on JAX: over chunks of steps; over steps where neurons meet."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from keras_ssp.kernels.chunks import (
    Backend,
    Body,
    Carry,
    backward_chunked,
    can_be_chunked,
    forward_chunked,
)
from keras_ssp.kernels.dynamics import LoopSpec, loop_dtype
from keras_ssp.kernels.loop import (
    Inlet,
    States,
    all_entered,
    initial_state,
    inlet_of,
    step,
    step_back,
    totals,
    zero_sums,
)
from keras_ssp.types import Tensor


def run_loop(
    x: Tensor,
    parameters: tuple[Tensor, ...],
    spec: LoopSpec,
    weights: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """See `keras_ssp.kernels.run_loop`."""
    parameters = tuple(map(jnp.asarray, parameters))
    return tuple(_with_gradient(spec)(x, parameters, weights))


@functools.lru_cache(maxsize=256)
def _with_gradient(spec: LoopSpec) -> Callable[..., tuple[Tensor, ...]]:
    @jax.custom_vjp
    def run(
        x: Tensor, parameters: States, weights: Tensor | None
    ) -> tuple[Tensor, ...]:
        return forward(x, parameters, weights)[0]

    def forward(
        x: Tensor, parameters: States, weights: Tensor | None
    ) -> tuple[tuple[Tensor, ...], tuple[Any, ...]]:
        outputs, kept = _forward(spec, x, parameters)
        fired = outputs[0] if spec.only_fired else jnp.zeros((), x.dtype)
        inlets = () if weights is None else (jnp.zeros(x.shape[:2], "float32"),)
        return (*outputs, *inlets), (x, parameters, kept, weights, fired)

    def backward(
        kept: tuple[Any, ...], upstream: States
    ) -> tuple[Tensor, States, None]:
        x, parameters, states, weights, fired = kept
        upstream, inlet = inlet_of(upstream, fired, weights, spec)
        return *_backward(spec, x, parameters, states, upstream, inlet), None

    run.defvjp(forward, backward)
    return run


def row_sums(x: Tensor, weights: Tensor) -> Tensor | None:
    """See `keras_ssp.kernels.row_sums`."""
    return jnp.sum(x * weights, axis=1)  # which XLA does in one pass


def _scan(
    body: Body, carry: Carry, count: int, _like: States, *, backward: bool = False
) -> tuple[Carry, States]:
    carry, written = jax.lax.scan(body, carry, jnp.arange(count), reverse=backward)
    return carry, written


_BACKEND = Backend(
    index=functools.partial(jax.lax.dynamic_index_in_dim, keepdims=False), scan=_scan
)


def _forward(
    spec: LoopSpec, x: Tensor, parameters: States
) -> tuple[tuple[Tensor, ...], Any]:
    """Spikes and recorded states; and what is kept for the backward pass."""
    wide = _wide(x, parameters)
    if _has_kernel(spec, x, parameters):
        from keras_ssp.kernels import pallas

        return pallas.forward(x, wide, spec), ()
    if can_be_chunked(parameters):
        return forward_chunked(x, wide, spec, _BACKEND)

    def body(state: States, x: Tensor) -> tuple[States, tuple[Tensor, ...]]:
        s, state = step(spec, state, x, wide)
        return state, (s, *(state[k] for k in spec.record))

    xs = _time_first(x)
    _, outputs = jax.lax.scan(body, initial_state(xs[0], spec), xs)
    return tuple(jnp.swapaxes(o, 0, 1).astype(x.dtype) for o in outputs), ()


def _backward(
    spec: LoopSpec,
    x: Tensor,
    parameters: States,
    kept: Any,
    upstream: States,
    inlet: Inlet | None,
) -> tuple[Tensor, States]:
    wide = _wide(x, parameters)
    if _has_kernel(spec, x, parameters):
        from keras_ssp.kernels import pallas

        upstream = all_entered(upstream, inlet)
        dx, d_parameters = pallas.backward(x, wide, upstream, spec)
    elif can_be_chunked(parameters):
        dx, d_parameters = backward_chunked(
            x, wide, kept, upstream, spec, _BACKEND, inlet
        )
    else:
        gradients = list(map(_time_first, all_entered(upstream, inlet)))
        dx, d_parameters = _backward_scan(spec, _time_first(x), wide, gradients)
        dx = jnp.swapaxes(dx, 0, 1).astype(x.dtype)
    return dx, tuple(
        jnp.asarray(gradient, parameter.dtype)
        for gradient, parameter in zip(d_parameters, parameters, strict=True)
    )


def _has_kernel(spec: LoopSpec, x: Tensor, parameters: States) -> bool:
    """Whether the loop will run on a GPU whose kernel takes this neuron."""
    # Of several devices, only what XLA writes is split among them.
    device = jax.config.jax_default_device
    platform = getattr(device, "platform", device) or jax.default_backend()
    if platform not in ("gpu", "cuda") or jax.device_count() > 1:
        return False
    from keras_ssp.kernels import pallas

    return pallas.can_run(x, parameters) and _lowers(spec, len(parameters))


@functools.lru_cache(maxsize=256)
def _lowers(spec: LoopSpec, parameters: int) -> bool:
    """Whether all that the neuron computes can be written for the GPU."""
    from keras_ssp.kernels import pallas

    x = jax.ShapeDtypeStruct((1, spec.time_steps, 1), "float32")
    given = (jax.ShapeDtypeStruct((), "float32"),) * parameters
    upstream = (x,) * (1 + len(spec.record))
    forward = functools.partial(pallas.forward, spec=spec)
    backward = functools.partial(pallas.backward, spec=spec)
    try:
        for function, values in ((forward, ()), (backward, (upstream,))):
            traced = jax.jit(function).trace(x, given, *values)
            traced.lower(lowering_platforms=("cuda",))
    except NotImplementedError:
        return False
    return True


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
    carry = (zeros, zero_sums(xs[0], parameters, spec))
    (_, sums), dx = jax.lax.scan(back, carry, (before, xs, gradients), reverse=True)
    return dx, totals(sums, parameters, spec)


def _time_first(x: Tensor) -> Tensor:
    return jnp.swapaxes(x.astype(loop_dtype(x.dtype.name)), 0, 1)


def _wide(x: Tensor, parameters: States) -> States:
    dtype = loop_dtype(x.dtype.name)
    return tuple(parameter.astype(dtype) for parameter in parameters)
