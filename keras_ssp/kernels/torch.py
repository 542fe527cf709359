"""The LIF loop on PyTorch."""

from __future__ import annotations

from typing import Any

import torch

from keras_ssp.kernels.equations import LoopSpec, backward_unrolled, forward_unrolled


def lif_loop(x: Any, beta: Any, threshold: Any, spec: LoopSpec) -> tuple[Any, ...]:
    """See `keras_ssp.kernels.lif_loop`."""
    outputs: tuple[Any, ...] = _Loop.apply(
        x, torch.as_tensor(beta), torch.as_tensor(threshold), spec
    )
    return outputs


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Any, beta: Any, threshold: Any, spec: LoopSpec
    ) -> tuple[Any, ...]:
        # Only the inputs are kept; potentials are recomputed on the way back.
        ctx.save_for_backward(x, beta, threshold)
        ctx.spec = spec
        dtype = _loop_dtype(x)
        _, ss, us = forward_unrolled(
            torch.unbind(x.to(dtype), dim=1), beta.to(dtype), threshold.to(dtype), spec
        )
        outputs = (ss, us) if spec.return_potential else (ss,)
        return tuple(torch.stack(o, dim=1).to(x.dtype) for o in outputs)

    @staticmethod
    def backward(ctx: Any, ds: Any, du: Any = None) -> tuple[Any, Any, Any, None]:
        x, beta, threshold = ctx.saved_tensors
        dtype = _loop_dtype(x)
        dxs, dbeta, dthreshold = backward_unrolled(
            torch.unbind(x.to(dtype), dim=1),
            torch.unbind(ds.to(dtype), dim=1),
            None if du is None else torch.unbind(du.to(dtype), dim=1),
            beta.to(dtype),
            threshold.to(dtype),
            ctx.spec,
        )
        dx = torch.stack(dxs, dim=1).to(x.dtype)
        return dx, dbeta.to(beta.dtype), dthreshold.to(threshold.dtype), None


def _loop_dtype(x: Any) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32
