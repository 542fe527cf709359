"""jaxpike: its `LIF` in a scan over time."""

from __future__ import annotations

import math
from typing import Any

import jax
import jaxpike

from benchmarks.cases import Case
from benchmarks.contenders.jax_common import layer_case


def build(case: Case, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    del compiled  # JAX compiles all
    lif = jaxpike.LIF(tau=1.0 / math.log(2.0), reset="zero")  # half of it stays

    def neurons(x: Any) -> Any:
        state = lif.init_state(x.shape[1:])
        return jax.lax.scan(lambda state, x: lif(state, x), state, x)[1]

    return layer_case(case, neurons)
