"""Batch normalisation on TensorFlow: its own fused operation."""

from __future__ import annotations

import tensorflow as tf

from keras_ssp.types import Tensor


def batch_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor] | None:
    """See `keras_ssp.kernels.batch_norm`."""
    if x.dtype == tf.float64:
        return None
    features = x.shape[-1]
    # It takes images.
    images = x if x.shape.rank == 4 else tf.reshape(x, (-1, 1, 1, features))
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=tf.cast(gamma, tf.float32),
        offset=tf.cast(beta, tf.float32),
        mean=[],
        variance=[],
        epsilon=epsilon,
        is_training=True,
    )
    # Its variance is divided by one less than the number of rows, Keras' by that.
    rows = tf.cast(tf.size(images) // features, tf.float32)
    if x.shape.rank != 4:
        y = tf.reshape(y, tf.shape(x))
        y.set_shape(x.shape)
    return y, tf.stop_gradient(mean), tf.stop_gradient(variance * (rows - 1.0) / rows)
