"""The time loop on TensorFlow: XLA-compiled around the loop alone."""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_ssp.kernels.dynamics import LoopSpec, loop_dtype
from keras_ssp.kernels.exporting import (
    MAX_EXPORTED_STEPS,
    leaves_python,
    without_gradient,
)
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
from keras_ssp.types import DType, Shape, Tensor

Loop = Callable[..., tuple[Tensor, ...]]


def run_loop(
    x: Tensor, parameters: tuple[Tensor, ...], spec: LoopSpec
) -> tuple[Tensor, ...]:
    """See `keras_ssp.kernels.run_loop`."""
    # Only a graph can leave Python, and to look whether it does takes a while.
    leaves = tf.inside_function() and leaves_python()
    forward, backward = _exported(spec) if leaves else _compiled(spec)
    if leaves and without_gradient():
        return forward(x, tuple(map(tf.convert_to_tensor, parameters)))

    # Tensors, not variables: a custom gradient may not capture a variable.
    @tf.custom_gradient
    def run(x: Tensor, *parameters: Tensor) -> tuple[tuple[Tensor, ...], Loop]:
        def grad(*upstream: Tensor) -> tuple[Tensor, ...]:
            return backward(x, parameters, upstream)

        # Without stop_gradient an outer tape would also differentiate `forward`
        # itself, and keep every state for it.
        fixed = tuple(map(tf.stop_gradient, parameters))
        return forward(tf.stop_gradient(x), fixed), grad

    return tuple(run(x, *map(tf.convert_to_tensor, parameters)))


def _plain(spec: LoopSpec, *, unrolled: bool) -> tuple[Loop, Loop]:
    if unrolled:
        return functools.partial(_forward, spec), functools.partial(_backward, spec)
    return (
        functools.partial(_forward_while, spec),
        functools.partial(_backward_while, spec),
    )


def _exported(spec: LoopSpec) -> tuple[Loop, Loop]:
    """Without XLA, which a server may lack, and without TensorArrays if it can be."""
    return _plain(spec, unrolled=spec.time_steps <= MAX_EXPORTED_STEPS)


def random_uniform(shape: Shape, seed: keras.random.SeedGenerator) -> Tensor:
    """See `keras_ssp.kernels.random_uniform`."""
    if tf.inside_function() and leaves_python():
        return tf.random.uniform(shape)
    return keras.random.uniform(shape, seed=seed)


@functools.lru_cache(maxsize=256)
def _compiled(spec: LoopSpec) -> tuple[Loop, Loop]:
    forward, backward = _plain(spec, unrolled=spec.unrolled)
    return (
        tf.function(forward, jit_compile=True, autograph=False),
        tf.function(backward, jit_compile=True, autograph=False),
    )


def _forward(spec: LoopSpec, x: Tensor, parameters: States) -> tuple[Tensor, ...]:
    spikes, states = forward_unrolled(_steps(spec, x), _wide_all(x, parameters), spec)
    recorded = [[state[k] for state in states] for k in spec.record]
    return tuple(tf.cast(tf.stack(o, axis=1), x.dtype) for o in (spikes, *recorded))


def _backward(
    spec: LoopSpec, x: Tensor, parameters: States, upstream: States
) -> tuple[Tensor, ...]:
    dxs, d_parameters = backward_unrolled(
        _steps(spec, x),
        _wide_all(x, parameters),
        [_steps(spec, gradient) for gradient in upstream],
        spec,
    )
    dx = tf.cast(tf.stack(dxs, axis=1), x.dtype)
    return dx, *_narrow_all(d_parameters, parameters)


def _forward_while(spec: LoopSpec, x: Tensor, parameters: States) -> tuple[Tensor, ...]:
    parameters = _wide_all(x, parameters)
    xs = _time_first(_wide(x))

    def body(t: Tensor, state: States) -> tuple[States, States]:
        s, state = step(spec, state, tf.gather(xs, t), parameters)
        return state, (s, *(state[k] for k in spec.record))

    _, outputs = _loop(spec, body, initial_state(xs[0], spec), 1 + len(spec.record), xs)
    return tuple(tf.cast(_time_second(o), x.dtype) for o in outputs)


def _backward_while(
    spec: LoopSpec, x: Tensor, parameters: States, upstream: States
) -> tuple[Tensor, ...]:
    wide = _wide_all(x, parameters)
    xs = _time_first(_wide(x))
    gradients = [_time_first(_wide(gradient)) for gradient in upstream]
    initial = initial_state(xs[0], spec)

    def keep(t: Tensor, state: States) -> tuple[States, States]:
        _, after = spec.dynamics.forward(state, tf.gather(xs, t), wide)
        return after, state

    _, before = _loop(spec, keep, initial, len(initial), xs)
    kept = len(initial)

    def back(k: Tensor, carry: States) -> tuple[States, States]:
        t = spec.time_steps - 1 - k
        ds, *d_recorded = (tf.gather(gradient, t) for gradient in gradients)
        dx, d_state, sums = step_back(
            tuple(tf.gather(state, t) for state in before),
            tf.gather(xs, t),
            wide,
            ds,
            d_recorded,
            carry[:kept],
            carry[kept:],
            spec,
        )
        return (*d_state, *sums), (dx,)

    carry = (*(tf.zeros_like(xs[0]),) * kept, *zero_sums(xs[0], wide))
    carry, (dx,) = _loop(spec, back, carry, 1, xs, backward=True)
    d_parameters = totals(carry[kept:], wide, spec)
    dx = tf.cast(_time_second(dx), x.dtype)
    return dx, *_narrow_all(d_parameters, parameters)


def _loop(
    spec: LoopSpec,
    step: Callable[[Tensor, States], tuple[States, States]],
    carry: States,
    outputs: int,
    like: Tensor,
    *,
    backward: bool = False,
) -> tuple[States, States]:
    """`carry, written = step(k, carry)` for k = 0 ... T - 1, and all that was written.

    Args:
        spec: The loop.
        step: One step; it returns the new carry and what is written in it.
        carry: What is handed from step to step.
        outputs: How many tensors each step writes.
        like: `(time, batch, neurons)`, of the shape and dtype of what is written.
        backward: Whether step k writes at T - 1 - k.
    """
    steps, n = spec.time_steps, len(carry)
    arrays = tuple(_array(steps, like.dtype, like.shape[1:]) for _ in range(outputs))

    def body(k: Tensor, *loop: Tensor) -> tuple[Tensor, ...]:
        new, written = step(k, loop[:n])
        t = steps - 1 - k if backward else k
        filled = (a.write(t, w) for a, w in zip(loop[n:], written, strict=True))
        return k + 1, *new, *filled

    found = tf.while_loop(
        lambda k, *_: k < steps,
        body,
        (tf.constant(0), *carry, *arrays),
        maximum_iterations=steps,  # XLA needs the trip count to be known
    )[1:]
    return tuple(found[:n]), tuple(array.stack() for array in found[n:])


def _array(steps: int, dtype: DType, shape: Shape) -> tf.TensorArray:
    return tf.TensorArray(dtype, steps, element_shape=shape)


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
