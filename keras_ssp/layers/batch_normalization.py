"""Keras' batch normalisation, faster in training on TensorFlow and PyTorch."""

from __future__ import annotations

import keras
from keras import ops

from keras_ssp import kernels
from keras_ssp.graph import Scaled, call_state
from keras_ssp.types import Tensor


@keras.saving.register_keras_serializable(package="keras_ssp")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` in one pass: the same numbers, sooner.

    In training, with `mean` and `variance` of the batch, over all axes but the last:

        y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
        moving_mean = momentum * moving_mean + (1 - momentum) * mean

    and the same for `moving_variance`. Keras computes this op by op, in about ten
    passes over memory each way, which between a convolution and spiking neurons takes
    longer than either. Here TensorFlow and PyTorch do so in a kernel of their own.

    Arguments, weights, what is saved, and results are those of
    `keras.layers.BatchNormalization`, up to rounding. In evaluation mode, on JAX (whose
    compiler joins the passes), and where no kernel takes the arguments (another axis
    than the last, a mask, `renorm`, `synchronized`, float64 on TensorFlow), it runs as
    Keras' own.

    Call arguments:
        inputs: Tensor of any rank, features last. Time may be folded into the batch.
        training: Whether the batch's statistics are used, and the moving ones updated.
        mask: As for Keras' own.

    Example:

    >>> norm = BatchNormalization(momentum=0.9)
    >>> y = norm(keras.ops.array([[1.0, 0.0], [3.0, 8.0]]), training=True)
    >>> [[round(float(v), 2) for v in row] for row in y]
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> [round(float(v), 2) for v in norm.moving_mean.value]
    [0.2, 0.4]

    Reference: Ioffe and Szegedy, ICML 2015.
    """

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor = None
    ) -> Tensor:
        # Not where `keras.RematScope` has made a tensor of it.
        trains = isinstance(training, bool) and training and self.trainable
        other = mask is not None or self.renorm or self.synchronized
        if other or self.axis not in (-1, len(inputs.shape) - 1):
            return super().call(inputs, training=training, mask=mask)
        if not trains:
            outputs = super().call(inputs, training=training)
            if isinstance(training, bool) or training is None:
                self._tell(inputs, outputs, self.moving_mean, self.moving_variance)
            return outputs
        dtype = self.moving_mean.dtype
        gamma, beta = self._gamma_and_beta(inputs)
        found = kernels.batch_norm(inputs, gamma, beta, self.epsilon)
        if found is None:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = found
        pairs = ((self.moving_mean, mean), (self.moving_variance, variance))
        for moving, value in pairs:
            value = ops.cast(value, dtype) * (1.0 - self.momentum)
            moving.assign(moving * self.momentum + value)
        outputs = ops.cast(outputs, self.compute_dtype)
        self._tell(inputs, outputs, mean, variance)
        return outputs

    def _gamma_and_beta(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        features, dtype = (inputs.shape[-1],), self.moving_mean.dtype
        gamma = self.gamma if self.scale else ops.ones(features, dtype)
        beta = self.beta if self.center else ops.zeros(features, dtype)
        return ops.convert_to_tensor(gamma), ops.convert_to_tensor(beta)

    def _tell(
        self, inputs: Tensor, outputs: Tensor, mean: Tensor, variance: Tensor
    ) -> None:
        """Tells the spiking layer behind, which may make its input again by itself."""
        # In 16 bits it would not be rounded as it is.
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if dtype != "float32" or not kernels.takes_source():
            return
        gamma, beta = self._gamma_and_beta(inputs)
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        call = call_state()
        call.normed = Scaled(outputs, inputs, scale, beta - mean * scale)
