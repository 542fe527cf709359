"""A plain loop over time on PyTorch, with a surrogate gradient, for `torch.compile`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from benchmarks.cases import Case
from benchmarks.contenders.torch_common import runs_of


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Any) -> Any:
        ctx.save_for_backward(v)
        return (v >= 1.0).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, ds: Any) -> Any:
        (v,) = ctx.saved_tensors
        return ds * torch.clamp(1.25 - torch.abs(v - 1.0), min=0.0) / 1.25**2


class _Lif(nn.Module):
    neurons = True

    def forward(self, x: Any, u: Any) -> Any:
        v = x if u is None else 0.5 * u + x
        s = _Spike.apply(v)
        return s, v * (1.0 - s)


def build(case: Case, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    return runs_of(case, _Lif, all_at_once=False, compiled=compiled)
