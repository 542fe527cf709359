"""The time loop on PyTorch."""

from __future__ import annotations

from typing import Any

import torch

from keras_ssp.kernels.dynamics import LoopSpec
from keras_ssp.kernels.loop import (
    States,
    backward_unrolled,
    forward_unrolled,
    initial_state,
    totals,
)
from keras_ssp.types import Tensor


def run_loop(
    x: Tensor, parameters: tuple[Tensor, ...], spec: LoopSpec
) -> tuple[Tensor, ...]:
    """See `keras_ssp.kernels.run_loop`."""
    outputs: tuple[Tensor, ...] = _Loop.apply(
        spec, x, *map(torch.as_tensor, parameters)
    )
    return outputs


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, spec: LoopSpec, x: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        # Only the inputs are kept; states are recomputed on the way back.
        ctx.save_for_backward(x, *parameters)
        ctx.spec = spec
        xs, wide = _steps(x, x), _wide(x, parameters)
        spikes, states = forward_unrolled(xs, wide, spec, initial_state(xs[0], spec))
        recorded = [[state[k] for state in states] for k in spec.record]
        return tuple(
            torch.stack(steps, dim=1).to(x.dtype) for steps in (spikes, *recorded)
        )

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        xs, wide = _steps(x, x), _wide(x, parameters)
        state = initial_state(xs[0], ctx.spec)
        gradients = [_steps(gradient, x) for gradient in upstream]
        nothing = tuple(map(torch.zeros_like, state))
        dxs, _, sums = backward_unrolled(xs, wide, gradients, ctx.spec, state, nothing)
        d_parameters = totals(sums, wide, ctx.spec)
        dx = torch.stack(dxs, dim=1).to(x.dtype)
        narrow = (
            gradient.to(parameter.dtype)
            for gradient, parameter in zip(d_parameters, parameters, strict=True)
        )
        return None, dx, *narrow


def _steps(values: Tensor, x: Tensor) -> list[Tensor]:
    return list(torch.unbind(values.to(_dtype(x)), dim=1))


def _wide(x: Tensor, parameters: States) -> States:
    return tuple(parameter.to(_dtype(x)) for parameter in parameters)


def _dtype(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32
