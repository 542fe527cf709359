"""The LIF loop on JAX: unrolled for few steps, `lax.scan` for many."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from keras_ssp.kernels.equations import (
    LoopSpec,
    backward_step,
    backward_unrolled,
    forward_step,
    forward_unrolled,
    loop_dtype,
    total,
)


def lif_loop(x: Any, beta: Any, threshold: Any, spec: LoopSpec) -> tuple[Any, ...]:
    """See `keras_ssp.kernels.lif_loop`."""
    run = _with_gradient(spec)
    return tuple(run(x, jnp.asarray(beta), jnp.asarray(threshold)))


@functools.lru_cache(maxsize=256)
def _with_gradient(spec: LoopSpec) -> Callable[..., Any]:
    @jax.custom_vjp
    def run(x: Any, beta: Any, threshold: Any) -> tuple[Any, ...]:
        return _forward(spec, x, beta, threshold)

    def forward(x: Any, beta: Any, threshold: Any) -> tuple[Any, Any]:
        # Only the inputs are kept; potentials are recomputed on the way back.
        return _forward(spec, x, beta, threshold), (x, beta, threshold)

    def backward(kept: tuple[Any, Any, Any], upstream: tuple[Any, ...]) -> Any:
        return _backward(spec, *kept, *upstream)

    run.defvjp(forward, backward)
    return run


def _forward(spec: LoopSpec, x: Any, beta: Any, threshold: Any) -> tuple[Any, ...]:
    _, s, u = _potentials(spec, x, *_parameters(x, beta, threshold))
    outputs = (s, u) if spec.return_potential else (s,)
    return tuple(jnp.swapaxes(o, 0, 1).astype(x.dtype) for o in outputs)


def _potentials(
    spec: LoopSpec, x: Any, beta: Any, threshold: Any
) -> tuple[Any, Any, Any]:
    """`v`, `s`, `u` of every step, time first."""
    xs = _time_first(x)
    if spec.unrolled:
        steps = forward_unrolled(list(xs), beta, threshold, spec)
        v, s, u = (jnp.stack(step) for step in steps)
        return v, s, u

    def body(u: Any, x: Any) -> tuple[Any, tuple[Any, Any, Any]]:
        v, s, u = forward_step(u, x, beta, threshold, spec)
        return u, (v, s, u)

    first = jnp.full_like(xs[0], spec.initial_potential)
    _, (v, s, u) = jax.lax.scan(body, first, xs)
    return v, s, u


def _backward(
    spec: LoopSpec, x: Any, beta: Any, threshold: Any, ds: Any, du: Any = None
) -> tuple[Any, Any, Any]:
    b, th = _parameters(x, beta, threshold)
    xs, dss = _time_first(x), _time_first(ds)
    dus = None if du is None else _time_first(du)
    if spec.unrolled:
        lists = None if dus is None else list(dus)
        dxs, db, dth = backward_unrolled(list(xs), list(dss), lists, b, th, spec)
        dx = jnp.stack(dxs)
    else:
        dx, db, dth = _backward_scan(spec, x, b, th, dss, dus)
    return (
        jnp.swapaxes(dx, 0, 1).astype(x.dtype),
        jnp.asarray(db, beta.dtype),
        jnp.asarray(dth, threshold.dtype),
    )


def _backward_scan(
    spec: LoopSpec, x: Any, beta: Any, threshold: Any, dss: Any, dus: Any
) -> tuple[Any, Any, Any]:
    v, _, u = _potentials(spec, x, beta, threshold)
    first = jnp.full_like(v[:1], spec.initial_potential)
    before = jnp.concatenate([first, u[:-1]])
    zeros = jnp.zeros_like(v[0])

    def body(carry: Any, step: Any) -> tuple[Any, Any]:
        du, db, dth = carry
        v, u, ds, du_here = step
        if du_here is not None:
            du = du + du_here
        dx, du, beta_term, threshold_term = backward_step(
            v, u, ds, du, beta, threshold, spec
        )
        db = db + beta_term if spec.learn_beta else db
        dth = dth + threshold_term if spec.learn_threshold else dth
        return (du, db, dth), dx

    steps = (v, before, dss, dus)
    carry, dx = jax.lax.scan(body, (zeros, zeros, zeros), steps, reverse=True)
    return dx, total(carry[1], spec.learn_beta), total(carry[2], spec.learn_threshold)


def _time_first(x: Any) -> Any:
    return jnp.swapaxes(x.astype(loop_dtype(x.dtype.name)), 0, 1)


def _parameters(x: Any, beta: Any, threshold: Any) -> tuple[Any, Any]:
    dtype = loop_dtype(x.dtype.name)
    return beta.astype(dtype), threshold.astype(dtype)
