"""The time loop over any neuron's `Dynamics`, one file per Keras backend.

Nothing else in the package is specific to a backend.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_ssp.graph import keras_private
from keras_ssp.kernels.dynamics import Affine as Affine
from keras_ssp.kernels.dynamics import Dynamics as Dynamics
from keras_ssp.kernels.dynamics import LoopSpec as LoopSpec
from keras_ssp.kernels.dynamics import is_infinite as is_infinite
from keras_ssp.kernels.dynamics import is_nan as is_nan
from keras_ssp.kernels.dynamics import loop_dtype as loop_dtype
from keras_ssp.kernels.exporting import leaves_python as leaves_python
from keras_ssp.types import Shape, Tensor, TensorLike

# Where JAX traces a function by itself: `keras.RematScope`, `ops.scan` and the like.
_TRACED_APART = ("jax._src.ad_checkpoint", "jax._src.lax.control_flow")
_BACKENDS = ("tensorflow", "jax", "torch")


def run_loop(
    x: Tensor,
    parameters: tuple[Tensor, ...],
    spec: LoopSpec,
    weights: Tensor | None = None,
    affine: Affine | None = None,
) -> tuple[Tensor, ...]:
    """Runs neurons over time.

    States are recomputed in the backward pass; at most those between chunks of steps
    are kept.
    Inside, everything is float32 (float64 for float64 input); spikes and states come
    back in the dtype of `x`.

    Args:
        x: Input current, `(batch, time, neurons)`; or `(batch, 1, neurons)`, the same
            at each step, where `takes_source()`.
        parameters: Float32 tensors in the order of `spec.dynamics.parameters`, each a
            scalar or `(neurons,)`.
        spec: The static part of the loop.
        weights: Float32 `(neurons,)`: what a penalty weighs spikes by. Its gradient
            then costs no pass over memory of its own.
        affine: What `x` was made of. A kernel may make it again, rather than read and
            keep it; gradients are those with respect to `x` all the same.

    Returns:
        Spikes, and each recorded state after its step, all `(batch, time, neurons)`.
        With `weights` also the inlet, float32 zeros `(batch, time)`: a gradient that
        reaches it reaches the spikes times the weights, and with `spec.only_fired`
        only those that are 1.
    """
    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise NotImplementedError(
            "The Keras backend must be 'tensorflow', 'jax' or 'torch'. "
            f"Received: backend={backend!r}."
        )
    kernel = importlib.import_module(f"keras_ssp.kernels.{backend}")
    more = () if affine is None or not takes_source() else (affine,)
    return tuple(kernel.run_loop(x, parameters, spec, weights, *more))


def takes_source() -> bool:
    """Whether `run_loop` has a use for what its input was made of.

    That is `affine`, and an input of one step for all. On JAX, a whole step is compiled
    anyway; on PyTorch, what was made is there.
    """
    return bool(keras.backend.backend() == "tensorflow")


def batch_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Batch normalisation in training by the backend's own kernel, if it has one.

    Args:
        x: Input, `(..., features)`.
        gamma: Float32 factors, `(features,)`.
        beta: Float32 shifts, `(features,)`.
        epsilon: What is added to the variance.

    Returns:
        The output, and mean and variance (the mean square of what differs from the
        mean) of each feature, through which no gradient flows; `None` without a kernel.
    """
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "torch"):
        return None
    kernel = importlib.import_module(f"keras_ssp.kernels.{backend}")
    return kernel.batch_norm(x, gamma, beta, epsilon)


def row_sums(x: Tensor, weights: Tensor) -> Tensor | None:
    """Weighted sums of rows in one pass over memory, if the backend has one.

    Args:
        x: Float32, `(rows, n)`.
        weights: Float32, `(n,)`.

    Returns:
        Float32 `(rows,)`, exact where every sum of whole numbers is below 2^24; `None`
        where only several passes would be.
    """
    kernel = importlib.import_module(f"keras_ssp.kernels.{keras.backend.backend()}")
    return kernel.row_sums(x, weights)


def custom_gradient(function: Callable[[Tensor], Any], x: Tensor) -> Tensor:
    """`keras.ops.custom_gradient(function)(x)`, of which TensorFlow keeps little.

    Args:
        function: What a custom gradient is made of; one object for all calls, which
            reads no tensor but `x`.
        x: What it is applied to.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.custom_gradient(function)(x)
    kernel = importlib.import_module("keras_ssp.kernels.tensorflow")
    return kernel.custom_gradient(function, x)


def constant(value: TensorLike, dtype: str) -> Tensor:
    """A number, or an array of them, as a tensor."""
    if keras.backend.backend() == "torch" and isinstance(value, float | int):
        # What is copied to a GPU is waited for, with all that was launched before.
        return ops.zeros((), dtype=dtype) + value
    return ops.convert_to_tensor(value, dtype=dtype)


def within_step() -> bool:
    """Whether what runs is part of a step that Keras compiles, or traces."""
    backend = keras.backend.backend()
    if backend == "jax":
        return keras_private.within_stateless_scope()
    return bool(importlib.import_module(f"keras_ssp.kernels.{backend}").is_tracing())


def keeps_state() -> bool:
    """Whether what is assigned to a variable now is there when the step has ended.

    On JAX only where Keras carries variables through the step, and not within a part of
    it that is traced by itself: its values must not leave it.
    """
    if keras.backend.backend() != "jax":
        return True
    if not keras_private.within_stateless_scope():
        return False
    callers = keras_private.callers()
    return not any(module.startswith(_TRACED_APART) for module, _ in callers)


def random_uniform(shape: Shape, seed: keras.random.SeedGenerator) -> Tensor:
    """Numbers in [0, 1), float32; repeatable, but in a graph that leaves Python.

    The state of a seed is a variable, and a served network may write none.
    """
    if keras.backend.backend() == "tensorflow":
        kernel = importlib.import_module("keras_ssp.kernels.tensorflow")
        return kernel.random_uniform(shape, seed)
    return keras.random.uniform(shape, seed=seed)
