"""Batch normalisation on PyTorch: its own fused operation."""

from __future__ import annotations

import torch

from keras_ssp.types import Tensor


def batch_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor] | None:
    """See `keras_ssp.kernels.batch_norm`."""
    features = x.shape[-1]
    rows = x.numel() // features
    if rows < 2:  # which PyTorch refuses
        return None
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    gamma, beta = gamma.to(wide), beta.to(wide)
    mean, variance = torch.zeros_like(gamma), torch.zeros_like(gamma)
    y = torch.nn.functional.batch_norm(
        x.movedim(-1, 1),
        mean,
        variance,
        gamma,
        beta,
        training=True,
        momentum=1.0,  # the batch's own, in place
        eps=epsilon,
    )
    # Its variance is divided by one less than the number of rows, Keras' by that.
    return y.movedim(1, -1), mean, variance * ((rows - 1) / rows)
