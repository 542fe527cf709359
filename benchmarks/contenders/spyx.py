"""Spyx: `LIF` in its scan over time, `spyx.nn.run`'s own way of running neurons."""

from __future__ import annotations

from typing import Any

import jax
import spyx.nn
from flax import nnx

from benchmarks.cases import Case
from benchmarks.contenders.jax_common import layer_case


def build(case: Case, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    del compiled  # JAX compiles all
    lif = spyx.nn.LIF(case.shape, beta=0.5, rngs=nnx.Rngs(0))

    def neurons(x: Any) -> Any:
        def step(state: Any, x: Any) -> Any:
            s, state = lif(x, state)
            return state, s

        return jax.lax.scan(step, lif.initial_state(x.shape[1]), x)[1]

    return layer_case(case, neurons)
