"""The LIF loop on TensorFlow: XLA-compiled around the loop alone."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from keras_ssp.kernels.equations import (
    LoopSpec,
    backward_step,
    backward_unrolled,
    forward_step,
    forward_unrolled,
    loop_dtype,
    total,
)

_compile = True


@contextlib.contextmanager
def uncompiled_loops() -> Iterator[None]:
    """Traces loops without XLA: for exported graphs, whose server may lack it."""
    global _compile
    before, _compile = _compile, False
    try:
        yield
    finally:
        _compile = before


def lif_loop(x: Any, beta: Any, threshold: Any, spec: LoopSpec) -> tuple[Any, ...]:
    """See `keras_ssp.kernels.lif_loop`."""
    forward, backward = _compiled(spec) if _compile else _plain(spec)

    # Tensors, not variables: a custom gradient may not capture a variable.
    @tf.custom_gradient
    def run(x: Any, beta: Any, threshold: Any) -> tuple[Any, Callable[..., Any]]:
        def grad(*upstream: Any) -> Any:
            return backward(x, beta, threshold, *upstream)

        # Without stop_gradient an outer tape would also differentiate `forward`
        # itself, and keep every potential for it.
        return forward(*map(tf.stop_gradient, (x, beta, threshold))), grad

    return tuple(run(x, tf.convert_to_tensor(beta), tf.convert_to_tensor(threshold)))


@functools.lru_cache(maxsize=256)
def _plain(spec: LoopSpec) -> tuple[Callable[..., Any], Callable[..., Any]]:
    if spec.unrolled:
        return functools.partial(_forward, spec), functools.partial(_backward, spec)
    return (
        functools.partial(_forward_while, spec),
        functools.partial(_backward_while, spec),
    )


@functools.lru_cache(maxsize=256)
def _compiled(spec: LoopSpec) -> tuple[Callable[..., Any], Callable[..., Any]]:
    forward, backward = _plain(spec)
    return (
        tf.function(forward, jit_compile=True, autograph=False),
        tf.function(backward, jit_compile=True, autograph=False),
    )


def _forward(spec: LoopSpec, x: Any, beta: Any, threshold: Any) -> tuple[Any, ...]:
    # unstack, not x[:, t]: the gradient of a slice is a full-size tensor per step.
    xs = tf.unstack(_wide(x), spec.time_steps, axis=1)
    _, ss, us = forward_unrolled(xs, *_parameters(x, beta, threshold), spec)
    outputs = (ss, us) if spec.return_potential else (ss,)
    return tuple(tf.cast(tf.stack(o, axis=1), x.dtype) for o in outputs)


def _backward(
    spec: LoopSpec, x: Any, beta: Any, threshold: Any, ds: Any, du: Any = None
) -> tuple[Any, Any, Any]:
    steps = spec.time_steps
    dxs, dbeta, dthreshold = backward_unrolled(
        tf.unstack(_wide(x), steps, axis=1),
        tf.unstack(_wide(ds), steps, axis=1),
        None if du is None else tf.unstack(_wide(du), steps, axis=1),
        *_parameters(x, beta, threshold),
        spec,
    )
    dx = tf.cast(tf.stack(dxs, axis=1), x.dtype)
    return dx, tf.cast(dbeta, beta.dtype), tf.cast(dthreshold, threshold.dtype)


def _forward_while(
    spec: LoopSpec, x: Any, beta: Any, threshold: Any
) -> tuple[Any, ...]:
    _, s, u = _potentials(spec, x, *_parameters(x, beta, threshold))
    outputs = (s, u) if spec.return_potential else (s,)
    return tuple(tf.cast(_time_second(o), x.dtype) for o in outputs)


def _potentials(
    spec: LoopSpec, x: Any, beta: Any, threshold: Any
) -> tuple[Any, Any, Any]:
    """`v`, `s`, `u` of every step, time first."""
    xs = _time_first(_wide(x))
    first = tf.fill(tf.shape(xs)[1:], tf.constant(spec.initial_potential, xs.dtype))
    arrays = tuple(_array(spec, xs.dtype, xs.shape[1:]) for _ in range(3))

    def body(t: Any, u: Any, va: Any, sa: Any, ua: Any) -> tuple[Any, ...]:
        v, s, u = forward_step(u, tf.gather(xs, t), beta, threshold, spec)
        return t + 1, u, va.write(t, v), sa.write(t, s), ua.write(t, u)

    out = _while(spec, body, (first, *arrays))
    return out[2].stack(), out[3].stack(), out[4].stack()


def _backward_while(
    spec: LoopSpec, x: Any, beta: Any, threshold: Any, ds: Any, du: Any = None
) -> tuple[Any, Any, Any]:
    b, th = _parameters(x, beta, threshold)
    v, _, u = _potentials(spec, x, b, th)
    first = tf.fill(tf.shape(v)[1:], tf.constant(spec.initial_potential, v.dtype))
    u = tf.concat([first[None], u[:-1]], axis=0)
    dss = _time_first(_wide(ds))
    dus = None if du is None else _time_first(_wide(du))
    last = spec.time_steps - 1
    zeros = tf.zeros_like(first)

    def body(k: Any, du: Any, db: Any, dth: Any, dxa: Any) -> tuple[Any, ...]:
        t = last - k
        if dus is not None:
            du = du + tf.gather(dus, t)
        dx, du, beta_term, threshold_term = backward_step(
            tf.gather(v, t), tf.gather(u, t), tf.gather(dss, t), du, b, th, spec
        )
        db = db + beta_term if spec.learn_beta else db
        dth = dth + threshold_term if spec.learn_threshold else dth
        return k + 1, du, db, dth, dxa.write(t, dx)

    array = _array(spec, v.dtype, v.shape[1:])
    _, _, db, dth, dxa = _while(spec, body, (zeros, zeros, zeros, array))
    return (
        tf.cast(_time_second(dxa.stack()), x.dtype),
        tf.cast(total(db, spec.learn_beta), beta.dtype),
        tf.cast(total(dth, spec.learn_threshold), threshold.dtype),
    )


def _while(spec: LoopSpec, body: Callable[..., Any], state: tuple[Any, ...]) -> Any:
    # XLA needs the trip count to be known.
    steps = spec.time_steps
    return tf.while_loop(
        lambda t, *_: t < steps,
        body,
        (tf.constant(0), *state),
        maximum_iterations=steps,
    )


def _array(spec: LoopSpec, dtype: Any, shape: Any) -> Any:
    return tf.TensorArray(dtype, spec.time_steps, element_shape=shape)


def _time_first(x: Any) -> Any:
    return tf.transpose(x, (1, 0, 2))


_time_second = _time_first  # swapping the first two axes is its own inverse


def _wide(x: Any) -> Any:
    return tf.cast(x, loop_dtype(x.dtype.name))


def _parameters(x: Any, beta: Any, threshold: Any) -> tuple[Any, Any]:
    dtype = loop_dtype(x.dtype.name)
    return tf.cast(beta, dtype), tf.cast(threshold, dtype)
