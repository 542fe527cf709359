"""The loop over time, written out, on every backend; and what all loops share.

A kernel keeps the inputs alone for the backward pass. There it runs forward again,
keeps the state before each step, and walks back.
"""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from keras_ssp.kernels.dynamics import LoopSpec, is_nan
from keras_ssp.types import Tensor

States = tuple[Tensor, ...]


def initial_state(like: Tensor, spec: LoopSpec) -> States:
    """The state before the first step, of the shape and dtype of one step's input."""
    zeros = ops.zeros_like(like)
    return tuple(zeros + u if u else zeros for u in spec.dynamics.initial())


def zero_sums(like: Tensor, parameters: States, spec: LoopSpec) -> States:
    """What the terms of each parameter's gradient are added to.

    Terms are per neuron, `(batch, neurons)` like one step's input, and those of a
    matrix (recurrent weights) are of its own shape. One that is not learned has none.
    """
    return tuple(
        ops.zeros_like(like if len(parameter.shape) < 2 else parameter)
        if learned
        else ops.zeros((), like.dtype)
        for parameter, learned in zip(parameters, spec.learned, strict=True)
    )


def step(
    spec: LoopSpec, state: States, x: Tensor, parameters: States
) -> tuple[Tensor, States]:
    """One step forward: spikes, and the state after it."""
    s, state = spec.dynamics.forward(state, x, parameters)
    if not spec.dynamics.keeps_nan:
        s = ops.where(is_nan(x), x, s)
    return s, state


def forward_unrolled(
    xs: Sequence[Tensor], parameters: States, spec: LoopSpec, state: States
) -> tuple[list[Tensor], list[States]]:
    """Steps written out, from a state on; spikes and state after each step."""
    spikes, states = [], []
    for x in xs:
        s, state = step(spec, state, x, parameters)
        spikes.append(s)
        states.append(state)
    return spikes, states


def outputs_unrolled(
    xs: Sequence[Tensor], parameters: States, spec: LoopSpec, state: States
) -> tuple[list[list[Tensor]], States]:
    """Steps written out: spikes, then each recorded state, step by step.

    Returns these, and the state after the last step.
    """
    spikes, states = forward_unrolled(xs, parameters, spec, state)
    recorded = ([state[k] for state in states] for k in spec.record)
    return [spikes, *recorded], states[-1]


def backward_unrolled(
    xs: Sequence[Tensor],
    parameters: States,
    upstream: Sequence[Sequence[Tensor]],
    spec: LoopSpec,
    state: States,
    d_state: States,
) -> tuple[list[Tensor], States, States]:
    """Steps written out: runs forward again, then walks back.

    Args:
        xs: Input of each step.
        parameters: The parameters.
        upstream: For the spikes, then for each recorded state: the gradient that
            reaches it at each step.
        spec: The loop.
        state: State before the first step.
        d_state: Gradient that reaches the state after the last step.

    Returns:
        The gradient with respect to each step's input, to `state`, and the terms of
        each parameter's gradient.
    """
    # Again, since nothing but the inputs was kept: cheaper than memory that is read.
    _, after = forward_unrolled(xs, parameters, spec, state)
    before = [state, *after]
    sums = zero_sums(state[0], parameters, spec)
    dxs: list[Tensor] = [None] * len(xs)
    for t in reversed(range(len(xs))):
        ds, *d_recorded = (gradients[t] for gradients in upstream)
        dxs[t], d_state, sums = step_back(
            before[t], xs[t], parameters, ds, d_recorded, d_state, sums, spec
        )
    return dxs, d_state, sums


def step_back(
    before: States,
    x: Tensor,
    parameters: States,
    ds: Tensor,
    d_recorded: Sequence[Tensor],
    d_state: States,
    sums: States,
    spec: LoopSpec,
) -> tuple[Tensor, States, States]:
    """One step of the walk back.

    Args:
        before: State before the step.
        x: Its input.
        parameters: The parameters.
        ds: Gradient that reaches its spikes.
        d_recorded: Gradient that reaches each recorded state from outside.
        d_state: Gradient that reaches its state from the step after it.
        sums: Terms of the parameters' gradients, summed over the steps after it.
        spec: The loop.

    Returns:
        The gradient with respect to `x`, to `before`, and the new sums.
    """
    outside = dict(zip(spec.record, d_recorded, strict=True))
    # A recorded state is read outside the loop too, as the potential is by a readout.
    d_state = tuple(
        d + outside[k] if k in outside else d for k, d in enumerate(d_state)
    )
    dx, d_before, terms = spec.dynamics.backward(before, x, parameters, ds, d_state)
    sums = tuple(
        total + term if learned else total
        for total, term, learned in zip(sums, terms, spec.learned, strict=True)
    )
    return dx, d_before, sums


def totals(sums: States, parameters: States, spec: LoopSpec) -> States:
    """Gradient of each parameter: its terms summed over the axes that it lacks."""
    return tuple(
        ops.sum(terms, axis=tuple(range(len(terms.shape) - len(parameter.shape))))
        if learned
        else ops.zeros_like(parameter)
        for terms, parameter, learned in zip(
            sums, parameters, spec.learned, strict=True
        )
    )
