"""The two passes of the time loop on TensorFlow: in chunks, written out, as a loop."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

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
    Scaling,
    States,
    all_entered,
    backward_unrolled,
    initial_state,
    outputs_unrolled,
    scaled,
    step,
    step_back,
    totals,
    zero_sums,
)
from keras_ssp.types import Tensor

Loop = Callable[..., Any]


def plain(spec: LoopSpec, *, unrolled: bool) -> tuple[Loop, Loop]:
    """Both passes over an array of all steps: written out, or as a loop over steps."""
    forward: Loop = _forward if unrolled else _forward_while
    backward: Loop = _backward if unrolled else _backward_while
    return (
        functools.partial(_forward_whole, forward, spec),
        functools.partial(_backward_whole, backward, spec),
    )


def forward_compiled(
    spec: LoopSpec, x: Tensor, parameters: States, scaling: Scaling | None
) -> tuple[tuple[Tensor, ...], Any]:
    """Spikes and recorded states; and what is kept for the backward pass."""
    if not can_be_chunked(parameters):
        return _forward_whole(_forward_while, spec, x, parameters, scaling)
    return forward_chunked(x, _wide_all(x, parameters), spec, _BACKEND, scaling)


def backward_compiled(
    spec: LoopSpec,
    x: Tensor,
    parameters: States,
    kept: Any,
    upstream: States,
    inlet: Inlet | None,
    scaling: Scaling | None,
) -> tuple[Tensor, ...]:
    if not can_be_chunked(parameters):
        return _backward_whole(
            _backward_while, spec, x, parameters, kept, upstream, inlet, scaling
        )
    wide = _wide_all(x, parameters)
    dx, d_parameters = backward_chunked(
        x, wide, kept, upstream, spec, _BACKEND, inlet, scaling
    )
    return dx, *_narrow_all(d_parameters, parameters)


def _forward_whole(
    forward: Loop,
    spec: LoopSpec,
    x: Tensor,
    parameters: States,
    scaling: Scaling | None,
) -> tuple[tuple[Tensor, ...], Any]:
    """By a loop that reads an array of all steps; nothing is kept."""
    steps = _every_step(spec, scaled(x, scaling))
    outputs = forward(spec, steps, _wide_all(x, parameters))
    return tuple(tf.cast(o, x.dtype) for o in outputs), ()


def _backward_whole(
    backward: Loop,
    spec: LoopSpec,
    x: Tensor,
    parameters: States,
    _kept: Any,
    upstream: States,
    inlet: Inlet | None,
    scaling: Scaling | None,
) -> tuple[Tensor, ...]:
    wide, upstream = _wide_all(x, parameters), all_entered(upstream, inlet)
    dx, sums = backward(spec, _every_step(spec, scaled(x, scaling)), wide, upstream)
    if x.shape[1] != spec.time_steps:  # the same at each step
        dx = tf.reduce_sum(dx, axis=1, keepdims=True)
    return tf.cast(dx, x.dtype), *_narrow_all(totals(sums, wide, spec), parameters)


def _forward(spec: LoopSpec, x: Tensor, parameters: States) -> tuple[Tensor, ...]:
    xs = _steps(spec, x)
    found, _ = outputs_unrolled(xs, parameters, spec, initial_state(xs[0], spec))
    return tuple(tf.stack(o, axis=1) for o in found)


def _backward(
    spec: LoopSpec, x: Tensor, parameters: States, upstream: States
) -> tuple[Tensor, States]:
    xs = _steps(spec, x)
    state = initial_state(xs[0], spec)
    gradients = [_steps(spec, gradient) for gradient in upstream]
    nothing = tuple(map(tf.zeros_like, state))
    dxs, _, sums = backward_unrolled(xs, parameters, gradients, spec, state, nothing)
    return tf.stack(dxs, axis=1), sums


def _forward_while(spec: LoopSpec, x: Tensor, parameters: States) -> tuple[Tensor, ...]:
    xs = _time_first(_wide(x))

    def body(state: States, t: Tensor) -> tuple[States, States]:
        s, state = step(spec, state, tf.gather(xs, t), parameters)
        return state, (s, *(state[k] for k in spec.record))

    like = (xs[0],) * (1 + len(spec.record))
    _, outputs = _scan(body, initial_state(xs[0], spec), spec.time_steps, like)
    return tuple(map(_time_second, outputs))


def _backward_while(
    spec: LoopSpec, x: Tensor, parameters: States, upstream: States
) -> tuple[Tensor, States]:
    xs = _time_first(_wide(x))
    gradients = [_time_first(_wide(gradient)) for gradient in upstream]
    initial = initial_state(xs[0], spec)

    def keep(state: States, t: Tensor) -> tuple[States, States]:
        _, after = spec.dynamics.forward(state, tf.gather(xs, t), parameters)
        return after, state

    _, before = _scan(keep, initial, spec.time_steps, initial)

    def back(carry: Carry, t: Tensor) -> tuple[Carry, States]:
        d_state, sums = carry
        ds, *d_recorded = (tf.gather(gradient, t) for gradient in gradients)
        state = tuple(tf.gather(state, t) for state in before)
        dx, d_state, sums = step_back(
            state, tf.gather(xs, t), parameters, ds, d_recorded, d_state, sums, spec
        )
        return (d_state, sums), (dx,)

    nothing = tuple(map(tf.zeros_like, initial))
    carry = (nothing, zero_sums(xs[0], parameters, spec))
    (_, sums), (dx,) = _scan(back, carry, spec.time_steps, (xs[0],), backward=True)
    return _time_second(dx), sums


def _scan(
    body: Body, carry: Carry, count: int, like: States, *, backward: bool = False
) -> tuple[Carry, States]:
    """See `keras_ssp.kernels.chunks.Backend`."""

    def once(done: Tensor, carry: Carry, arrays: States) -> tuple[Tensor, ...]:
        k = count - 1 - done if backward else done
        carry, written = body(carry, k)
        filled = (a.write(k, w) for a, w in zip(arrays, written, strict=True))
        return done + 1, carry, tuple(filled)

    if count == 1:  # a loop would be kept as one, with all that it writes
        carry, written = body(carry, tf.constant(0))
        return carry, tuple(w[None] for w in written)
    arrays = tuple(tf.TensorArray(a.dtype, count, element_shape=a.shape) for a in like)
    _, carry, arrays = tf.while_loop(
        lambda done, *_: done < count,
        once,
        (tf.constant(0), carry, arrays),
        maximum_iterations=count,  # XLA needs the trip count to be known
    )
    return carry, tuple(array.stack() for array in arrays)


# Written out up to T = 36: docs/performance.md.
_BACKEND = Backend(
    index=lambda x, k, axis: tf.gather(x, k, axis=axis), scan=_scan, written_out=8
)


def _every_step(spec: LoopSpec, x: Tensor) -> Tensor:
    steps = spec.time_steps
    return x if x.shape[1] == steps else tf.repeat(x, steps, axis=1)


def _steps(spec: LoopSpec, x: Tensor) -> list[Tensor]:
    # unstack, not x[:, t]: the gradient of a slice is a full-size tensor per step.
    return list(tf.unstack(_wide(x), spec.time_steps, axis=1))


def _time_first(x: Tensor) -> Tensor:
    return tf.transpose(x, (1, 0, 2))


_time_second = _time_first  # swapping the first two axes is its own inverse


def _wide(x: Tensor) -> Tensor:
    return tf.cast(x, loop_dtype(x.dtype.name))


def _wide_all(x: Tensor, parameters: States) -> States:
    dtype = loop_dtype(x.dtype.name)
    return tuple(tf.cast(parameter, dtype) for parameter in parameters)


def _narrow_all(gradients: States, parameters: States) -> States:
    return tuple(
        tf.cast(gradient, parameter.dtype)
        for gradient, parameter in zip(gradients, parameters, strict=True)
    )
