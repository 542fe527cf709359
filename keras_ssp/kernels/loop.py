"""The loop over time, written out, on every backend; and what all loops share.

A kernel keeps the inputs alone for the backward pass. There it runs forward again,
keeps the state before each step, and walks back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
from keras import ops

from keras_ssp.kernels.dynamics import LoopSpec, is_nan, loop_dtype
from keras_ssp.types import Tensor

States = tuple[Tensor, ...]
#: Scale and shift, each `(neurons,)`.
Scaling = tuple[Tensor, Tensor]


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


def scaled(x: Tensor, scaling: Scaling | None) -> Tensor:
    """The input of a loop, of all steps or of one, made of what is kept of it."""
    if scaling is None:
        return x
    scale, shift = (ops.cast(each, x.dtype) for each in scaling)
    return x * scale + shift


class Inlet(NamedTuple):
    """What enters the walk back beside the gradient of the spikes.

    Args:
        weights: `(neurons,)`, in the dtype of the loop.
        gradient: What reaches the inlet, `(batch, time, 1)`.
        spikes: The spikes that it is to reach, `None` for all.
    """

    weights: Tensor
    gradient: Tensor
    spikes: Tensor | None

    def steps(self, choose: Callable[[Tensor], list[Tensor]]) -> list[Inlet]:
        """The same of single steps."""
        gradients = choose(self.gradient)
        if self.spikes is None:
            return [Inlet(self.weights, gradient, None) for gradient in gradients]
        both = zip(gradients, choose(self.spikes), strict=True)
        return [Inlet(self.weights, *each) for each in both]


def inlet_of(
    upstream: Sequence[Tensor],
    spikes: Tensor,
    weights: Tensor | None,
    spec: LoopSpec,
) -> tuple[tuple[Tensor, ...], Inlet | None]:
    """The gradients of spikes and recorded states, and what enters beside them."""
    if weights is None:
        return tuple(upstream), None
    *others, gradient = upstream
    dtype = loop_dtype(keras.backend.standardize_dtype(spikes.dtype))
    gradient = ops.cast(gradient[..., None], dtype)
    fired = spikes if spec.only_fired else None
    return tuple(others), Inlet(ops.cast(weights, dtype), gradient, fired)


def entered(ds: Tensor, inlet: Inlet) -> Tensor:
    """The gradient of spikes, of all steps or of one, and what enters beside it."""
    more = inlet.gradient * inlet.weights
    if inlet.spikes is not None:
        more = more * ops.cast(inlet.spikes, more.dtype)
    return ops.cast(ds, more.dtype) + more


def all_entered(upstream: States, inlet: Inlet | None) -> States:
    """The gradients of spikes and recorded states, with what enters beside them."""
    if inlet is None:
        return upstream
    ds = ops.cast(entered(upstream[0], inlet), upstream[0].dtype)
    return ds, *upstream[1:]


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
