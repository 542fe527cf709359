"""A small convolutional spiking network, for demonstrations and CPU runs."""

from __future__ import annotations

from keras_ssp.models.builder import NetworkBuilder
from keras_ssp.models.chains import POOL, chain
from keras_ssp.models.registry import network
from keras_ssp.types import Tensor

FEATURES = (16, POOL, 32, POOL)
HIDDEN = (64,)


@network("small_cnn", halvings=FEATURES.count(POOL))
def small_cnn(net: NetworkBuilder, x: Tensor) -> Tensor:
    """Four weight layers, for demonstrations and small images.

        conv 16 - pool - conv 32 - pool - dense 64 - dense classes

    Batch norm and LIF follow every 3x3 convolution and hidden dense layer; the first
    convolution and its norm run once per image, before the encoding. The layer table
    is ours, not a network of the paper.

    Example:

    >>> small_cnn((8, 8, 1), 10, width=0.5).output_shape
    (None, 10)

    Reference: for spiking networks of this kind, Suetake et al., arXiv 2302.01500.
    """
    return chain(net, x, FEATURES, HIDDEN)
