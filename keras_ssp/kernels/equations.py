"""The equations of one LIF step and of the unrolled loop, on every backend.

Forward (`g` is the surrogate derivative at `v - threshold`):

    v[t] = beta * u[t-1] + x[t]
    s[t] = 1 if v[t] >= threshold else 0
    u[t] = v[t] * (1 - s[t])            reset="hard"
           v[t] - threshold * s[t]      reset="soft"
           v[t]                         reset="none"

Backward, with `ds`, `du` the gradients that reach `s[t]`, `u[t]`:

    hard:  e = ds - du * v   (ds alone if detached);  dv = du * (1 - s) + g * e
    soft:  e = ds - du * threshold  (ds alone ...);   dv = du + g * e
    none:  e = ds;                                    dv = du + g * e
    dx[t] = dv;  du[t-1] += beta * dv;  dbeta += dv * u[t-1]
    dthreshold -= g * e, and in the soft reset also du * s
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_ssp.surrogates import Surrogate

# Up to this many steps the loop is written out, which compilers fuse into one
# pass over memory; above it compile time grows faster than the gain.
MAX_UNROLLED_STEPS = 16


@dataclasses.dataclass(frozen=True)
class LoopSpec:
    """What is fixed when the loop is built; compiled loops are cached by it."""

    time_steps: int
    reset: str
    surrogate: Surrogate
    detach_reset: bool = False
    initial_potential: float = 0.0
    return_potential: bool = False
    learn_beta: bool = False
    learn_threshold: bool = False

    @property
    def unrolled(self) -> bool:
        """Whether the loop is written out step by step."""
        return self.time_steps <= MAX_UNROLLED_STEPS


def loop_dtype(dtype: str) -> str:
    """The dtype in which potentials are kept."""
    return "float64" if dtype == "float64" else "float32"


def forward_step(
    u: Any, x: Any, beta: Any, threshold: Any, spec: LoopSpec
) -> tuple[Any, Any, Any]:
    """One step: returns `v`, `s` and the potential after reset."""
    v = beta * u + x
    s = ops.cast(v >= threshold, v.dtype)
    if spec.reset == "hard":
        u = v * (1.0 - s)
    elif spec.reset == "soft":
        u = v - threshold * s
    else:
        u = v
    return v, s, u


def backward_step(
    v: Any, u: Any, ds: Any, du: Any, beta: Any, threshold: Any, spec: LoopSpec
) -> tuple[Any, Any, Any, Any]:
    """One step of backpropagation through time.

    Args:
        v: Potential before reset at this step.
        u: Potential after reset at the step before.
        ds, du: Gradients with respect to this step's spike and potential.

    Returns:
        Gradients with respect to `x[t]` and `u[t-1]`, and per-neuron terms of the
        gradients with respect to `beta` and `threshold`.
    """
    excess = v - threshold
    g = spec.surrogate.derivative(excess)
    s = ops.cast(v >= threshold, v.dtype)
    error, dv, dthreshold = ds, du, 0.0
    if spec.reset == "hard":
        if not spec.detach_reset:
            error = ds - du * v
        dv = du * (1.0 - s)
    elif spec.reset == "soft":
        if not spec.detach_reset:
            error = ds - du * threshold
        dthreshold = -du * s
    through_spike = g * error
    dv = dv + through_spike
    return dv, beta * dv, dv * u, dthreshold - through_spike


def forward_unrolled(
    xs: Sequence[Any], beta: Any, threshold: Any, spec: LoopSpec
) -> tuple[list[Any], list[Any], list[Any]]:
    """The loop written out; lists of `v`, `s`, `u`, one entry per step."""
    u = ops.full_like(xs[0], spec.initial_potential)
    vs, ss, us = [], [], []
    for x in xs:
        v, s, u = forward_step(u, x, beta, threshold, spec)
        vs.append(v)
        ss.append(s)
        us.append(u)
    return vs, ss, us


def backward_unrolled(
    xs: Sequence[Any],
    dss: Sequence[Any],
    dus: Sequence[Any] | None,
    beta: Any,
    threshold: Any,
    spec: LoopSpec,
) -> tuple[list[Any], Any, Any]:
    """Recomputes the potentials, then walks back; `dx` list, dbeta, dthreshold."""
    vs, _, us = forward_unrolled(xs, beta, threshold, spec)
    before = [ops.full_like(xs[0], spec.initial_potential), *us[:-1]]
    du = ops.zeros_like(xs[0])
    dxs: list[Any] = [None] * spec.time_steps
    dbeta, dthreshold = du, du
    for t in reversed(range(spec.time_steps)):
        if dus is not None:
            du = du + dus[t]
        dxs[t], du, beta_term, threshold_term = backward_step(
            vs[t], before[t], dss[t], du, beta, threshold, spec
        )
        if spec.learn_beta:
            dbeta = dbeta + beta_term
        if spec.learn_threshold:
            dthreshold = dthreshold + threshold_term
    return dxs, total(dbeta, spec.learn_beta), total(dthreshold, spec.learn_threshold)


def total(terms: Any, wanted: bool) -> Any:
    """Sum of per-neuron gradient terms, 0 for a parameter that is not learned."""
    return ops.sum(terms) if wanted else ops.zeros((), dtype=terms.dtype)
