"""QCFS: the activation that an IF neuron can imitate exactly."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_ssp._checks import positive_int, real
from keras_ssp.kernels import custom_gradient
from keras_ssp.layers.spiking import Range
from keras_ssp.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="keras_ssp")
class QCFS(keras.layers.Layer):
    """Quantisation clip-floor-shift activation, `ReLU()` for a network to convert.

    With the trainable threshold `lam` and `L = levels`:

        y = lam * clip(floor(x * L / lam + 1/2), 0, L) / L

    Over `T = levels` steps of constant input, an integrate-and-fire neuron of
    threshold `lam` that starts from `lam / 2` and is reset by subtraction fires `T *
    y / lam` times: `keras_ssp.conversion.convert(model, method="qcfs")` makes that
    neuron. The floor's derivative is taken to be 1, so that

        dy/dx   = 1             if -lam / (2 L) <= x < lam - lam / (2 L), else 0
        dy/dlam = (y - x) / lam on that interval, 0 below and 1 above it

    Args:
        levels: Positive integer `L`; the time steps for which the network is
            prepared.
        initial_threshold: Positive float, where `lam` starts. Of batch-normalised
            inputs 2 % exceed 2; a larger start gives coarser steps, and too few
            spikes at small T. Defaults to 2.0.

    Input shape: any, `(batch, ...)`. Output shape: the same.

    Example:

    >>> layer = QCFS(4, initial_threshold=2.0)
    >>> np.asarray(layer(np.array([-1.0, 0.2, 0.3, 0.8, 5.0], "float32"))).tolist()
    [0.0, 0.0, 0.5, 1.0, 2.0]

    Reference: Bu et al., "Optimal ANN-SNN Conversion for High-accuracy and
    Ultra-low-latency Spiking Neural Networks", ICLR 2022.
    """

    def __init__(
        self, levels: int, *, initial_threshold: float = 2.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.levels = positive_int("levels", levels)
        self.initial_threshold = real("initial_threshold", initial_threshold, above=0.0)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        # float32 whatever the policy: 16 bits would move the steps of the staircase.
        self.threshold_weight = self.add_weight(
            name="threshold",
            shape=(),
            initializer=keras.initializers.Constant(self.initial_threshold),
            constraint=Range(keras.config.epsilon()),
            dtype="float32",
            autocast=False,
        )

    @property
    def threshold(self) -> float:
        """The threshold `lam` as it is now."""
        if not self.built:
            return self.initial_threshold
        return float(ops.convert_to_numpy(self.threshold_weight))

    def call(self, inputs: Tensor) -> Tensor:
        threshold = ops.convert_to_tensor(self.threshold_weight)
        steps = ops.cast(inputs, "float32") * self.levels / threshold + 0.5
        # The chain rule through this product is the gradient to `lam` given above.
        y = threshold * (custom_gradient(_staircase(self.levels), steps) / self.levels)
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        config = super().get_config()
        return {
            **config,
            "levels": self.levels,
            "initial_threshold": self.initial_threshold,
        }


@functools.cache
def _staircase(levels: int) -> Callable[[Tensor], Any]:
    """`clip(floor(v), 0, levels)`; derivative 1 for `0 <= v < levels`, else 0."""

    def staircase(v: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        inside = ops.cast(ops.logical_and(v >= 0.0, v < levels), v.dtype)

        def grad(*args: Tensor, upstream: Tensor = None) -> Tensor:
            # Torch hands over the inputs too, the others the upstream gradient alone.
            return (args[0] if upstream is None else upstream) * inside

        return ops.clip(ops.floor(v), 0.0, float(levels)), grad

    return staircase
