"""The LIF time loop, one file per Keras backend; nothing else is backend-specific."""

from __future__ import annotations

from typing import Any

import keras

from keras_ssp.kernels.equations import LoopSpec

__all__ = ["LoopSpec", "lif_loop"]


def lif_loop(x: Any, beta: Any, threshold: Any, spec: LoopSpec) -> tuple[Any, Any]:
    """Runs leaky integrate-and-fire neurons over time.

    Potentials are recomputed in the backward pass, never stored by the forward
    pass. Inside, everything is float32 (float64 for float64 input); spikes and
    potentials come back in the dtype of `x`.

    Args:
        x: Input current, `(batch, time, neurons)`.
        beta: Scalar float32 tensor, the leak factor.
        threshold: Scalar float32 tensor, the firing threshold.
        spec: The static part of the loop.

    Returns:
        Spikes and potentials after reset, both `(batch, time, neurons)`; the
        potentials are `None` unless `spec.return_potential`.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from keras_ssp.kernels import tensorflow as kernel
    elif backend == "jax":
        from keras_ssp.kernels import jax as kernel  # type: ignore[no-redef]
    elif backend == "torch":
        from keras_ssp.kernels import torch as kernel  # type: ignore[no-redef]
    else:
        raise NotImplementedError(
            "The Keras backend must be 'tensorflow', 'jax' or 'torch'. "
            f"Received: backend={backend!r}."
        )
    outputs = kernel.lif_loop(x, beta, threshold, spec)
    return (outputs[0], outputs[1] if spec.return_potential else None)
