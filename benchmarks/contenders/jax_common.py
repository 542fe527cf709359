"""What the contenders on JAX share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cases import Case


def layer_case(case: Case, neurons: Callable[[Any], Any]) -> dict[str, Any]:
    """Runs of a layer of neurons, after a dense layer if the case has one.

    `neurons` takes `(time, batch, neurons)`.
    """
    size = case.shape[0]
    rng = np.random.default_rng(0)
    shape = (case.steps, case.batch, size)
    x = jnp.asarray(rng.normal(0.3, 1.0, shape), case.dtype)
    upstream = jnp.asarray(rng.normal(size=shape), case.dtype)
    weights = ()
    if case.part == "linear":
        kernel = jnp.asarray(rng.normal(0.0, size**-0.5, (size, size)), "float32")
        weights = (kernel, jnp.zeros((size,)))

    def call(weights: Any, x: Any) -> Any:
        return neurons(x @ weights[0] + weights[1] if weights else x)

    return layer_runs(call, weights, x, upstream)


def layer_runs(
    call: Callable[[Any, Any], Any], weights: Any, x: Any, upstream: Any
) -> dict[str, Any]:
    """Runs of a layer: output; output and gradient; a copy of the same bytes."""

    def gradient(weights: Any, x: Any, upstream: Any) -> Any:
        y, back = jax.vjp(call, weights, x)
        return y, back(upstream)

    forward, both, copy = map(jax.jit, (call, gradient, lambda x: -x))
    # On a CPU, calls that wait in line would run beside each other.
    done = jax.block_until_ready if jax.default_backend() == "cpu" else lambda y: y
    return {
        "forward": lambda: done(forward(weights, x)),
        "train": lambda: done(both(weights, x, upstream)),
        "copy": lambda: done(copy(x)),
    }
