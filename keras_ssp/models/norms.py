"""Batch norms whose moving variance starts where spikes will take it."""

from __future__ import annotations

import keras

from keras_ssp.layers import BatchNormalization
from keras_ssp.types import Tensor

# A batch norm starts from a guess of the variance that it will find. With Keras' own
# guess of 1 it would, in evaluation mode, hand spikes' small sums on as they are: each
# layer is then quieter than the one before, and the tenth is silent. Kernels start
# with variance 1 / fan-in, so that the variance after them is the mean square of
# what comes in. The guess costs nothing: training mode does not use it, whereas
# larger kernels, which would keep neurons firing too, learn more slowly: a batch norm
# follows, so only the direction of a kernel counts, and a step of given length turns a
# long kernel less.
#
# Images in [0, 1] have a mean square of 0.1 (MNIST) to 0.3 (CIFAR-10): the smaller one,
# since a layer that fires too much at first does less harm than a silent one.
IMAGE_MEAN_SQUARE = 0.1

# Keras' own 0.99 takes some 500 steps to forget that guess: after a short training, a
# network would be evaluated with statistics that are half made up.
NORM_MOMENTUM = 0.9


def batch_norm(
    y: Tensor, name: str, variance: float, *, gamma: float = 1.0, beta: float = 0.0
) -> Tensor:
    """Batch norm that starts from `variance`, and is `gamma * z + beta` of that."""
    constant = keras.initializers.Constant
    return BatchNormalization(
        momentum=NORM_MOMENTUM,
        beta_initializer=constant(beta),
        gamma_initializer=constant(gamma),
        moving_variance_initializer=constant(variance),
        name=name,
    )(y)
