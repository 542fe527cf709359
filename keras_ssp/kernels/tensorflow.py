"""The time loop on TensorFlow, XLA-compiled around the loop alone; and its norm."""

from __future__ import annotations

import functools

import keras
import tensorflow as tf

from keras_ssp.kernels.dynamics import Affine, LoopSpec
from keras_ssp.kernels.exporting import (
    MAX_EXPORTED_STEPS,
    leaves_python,
    without_gradient,
)
from keras_ssp.kernels.loop import inlet_of
from keras_ssp.kernels.tensorflow_loop import (
    Loop,
    backward_compiled,
    forward_compiled,
    plain,
)
from keras_ssp.types import Shape, Tensor

#: Up to this many steps the loop is written out on GPUs; with more it was not measured.
MAX_UNROLLED_STEPS = 16


def run_loop(
    x: Tensor,
    parameters: tuple[Tensor, ...],
    spec: LoopSpec,
    weights: Tensor | None = None,
    affine: Affine | None = None,
) -> tuple[Tensor, ...]:
    """See `keras_ssp.kernels.run_loop`."""
    given = (x, tuple(map(tf.convert_to_tensor, parameters)), weights, affine)
    if tf.executing_eagerly():
        return _differentiable(spec, _compiled(spec), *given)
    # Only a graph can leave Python, and to look whether it does takes a while.
    if not leaves_python():
        return tuple(_traced(spec)(*given))
    loops = _exported(spec)
    if without_gradient():
        forward, _ = loops
        return tuple(forward(*given[:2], None)[0])
    return _differentiable(spec, loops, *given)


@functools.lru_cache(maxsize=256)
def _traced(spec: LoopSpec) -> Loop:
    """The loop in a graph of its own, which layers of the same spec share.

    TensorFlow keeps each graph that a custom gradient was traced in for as long as
    the process lives: not that of a whole training step, then.
    """
    run = functools.partial(_differentiable, spec, _compiled(spec))
    return tf.function(run, autograph=False)


def custom_gradient(function: Loop, x: Tensor) -> Tensor:
    """See `keras_ssp.kernels.custom_gradient`."""
    if tf.executing_eagerly() or leaves_python():
        return tf.custom_gradient(function)(x)
    return _apart(function)(x)


@functools.lru_cache(maxsize=256)
def _apart(function: Loop) -> Loop:
    """The function in a graph of its own: see `_traced`."""
    return tf.function(lambda x: tf.custom_gradient(function)(x), autograph=False)


def _differentiable(
    spec: LoopSpec,
    loops: tuple[Loop, Loop],
    x: Tensor,
    parameters: tuple[Tensor, ...],
    weights: Tensor | None,
    affine: Affine | None,
) -> tuple[Tensor, ...]:
    forward, backward = loops
    read, *scaling = (x,) if affine is None else affine
    fixed_scaling = tuple(map(tf.stop_gradient, scaling)) or None

    # Tensors, not variables: a custom gradient may not capture a variable.
    @tf.custom_gradient
    def run(x: Tensor, *parameters: Tensor) -> tuple[tuple[Tensor, ...], Loop]:
        def grad(*upstream: Tensor) -> tuple[Tensor, ...]:
            given, inlet = inlet_of(upstream, outputs[0], weights, spec)
            return backward(read, parameters, kept, given, inlet, fixed_scaling)

        # Without stop_gradient an outer tape would also differentiate `forward`
        # itself, and keep every state for it.
        fixed = tuple(map(tf.stop_gradient, parameters))
        outputs, kept = forward(tf.stop_gradient(read), fixed, fixed_scaling)
        inlets = () if weights is None else (tf.zeros(tf.shape(outputs[0])[:2]),)
        return (*outputs, *inlets), grad

    return tuple(run(x, *parameters))


def _exported(spec: LoopSpec) -> tuple[Loop, Loop]:
    """Without XLA, which a server may lack, and without TensorArrays if it can be."""
    return plain(spec, unrolled=spec.time_steps <= MAX_EXPORTED_STEPS)


def batch_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor] | None:
    """See `keras_ssp.kernels.batch_norm`."""
    if x.dtype == tf.float64:
        return None
    features = x.shape[-1]
    # It takes images.
    images = x if x.shape.rank == 4 else tf.reshape(x, (-1, 1, 1, features))
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=tf.cast(gamma, tf.float32),
        offset=tf.cast(beta, tf.float32),
        mean=[],
        variance=[],
        epsilon=epsilon,
        is_training=True,
    )
    # Its variance is divided by one less than the number of rows, Keras' by that.
    rows = tf.cast(tf.size(images) // features, tf.float32)
    if x.shape.rank != 4:
        y = tf.reshape(y, tf.shape(x))
        y.set_shape(x.shape)
    return y, tf.stop_gradient(mean), tf.stop_gradient(variance * (rows - 1.0) / rows)


def row_sums(x: Tensor, weights: Tensor) -> Tensor | None:
    """See `keras_ssp.kernels.row_sums`."""
    # On GPUs, products of matrices may be those of numbers cut to 11 bits.
    leaves = tf.inside_function() and leaves_python()
    if leaves or tf.config.list_physical_devices("GPU"):
        return None
    return tf.linalg.matvec(x, weights)


def is_tracing() -> bool:
    """Whether what runs is being traced into a graph."""
    return not tf.executing_eagerly()


def random_uniform(shape: Shape, seed: keras.random.SeedGenerator) -> Tensor:
    """See `keras_ssp.kernels.random_uniform`."""
    if tf.inside_function() and leaves_python():
        return tf.random.uniform(shape)
    return keras.random.uniform(shape, seed=seed)


@functools.lru_cache(maxsize=256)
def _compiled(spec: LoopSpec) -> tuple[Loop, Loop]:
    # XLA on GPUs fuses a loop that is written out into one kernel.
    if spec.time_steps <= MAX_UNROLLED_STEPS and tf.config.list_physical_devices("GPU"):
        forward, backward = plain(spec, unrolled=True)
    else:
        forward = functools.partial(forward_compiled, spec)
        backward = functools.partial(backward_compiled, spec)
    return (
        tf.function(forward, jit_compile=True, autograph=False),
        tf.function(backward, jit_compile=True, autograph=False),
    )
