"""CNN7: seven weight layers, for 28x28 and 32x32 images."""

from __future__ import annotations

from keras_ssp.models.builder import NetworkBuilder
from keras_ssp.models.chains import POOL, chain
from keras_ssp.models.registry import network
from keras_ssp.types import Tensor

FEATURES = (32, 32, POOL, 64, 64, POOL, 128, POOL)
HIDDEN = (256,)


@network("cnn7", halvings=FEATURES.count(POOL))
def cnn7(net: NetworkBuilder, x: Tensor) -> Tensor:
    """Seven weight layers, for images such as those of Fashion-MNIST.

        conv 32 - conv 32 - pool - conv 64 - conv 64 - pool - conv 128 - pool
        - dense 256 - dense classes

    Batch norm and LIF follow every 3x3 convolution and hidden dense layer; the first
    convolution and its norm run once per image, before the encoding. The layer table
    is ours: that of the paper's CNN7 is not known to us.

    Example:

    >>> model = cnn7((28, 28, 1), 10, width=0.25, beta=0.9)
    >>> [layer.name for layer in model.layers if isinstance(layer, LIF)]
    ['lif1', 'lif2', 'lif3', 'lif4', 'lif5', 'lif6']

    Reference: for spiking networks of this kind, Suetake et al., arXiv 2302.01500.
    """
    return chain(net, x, FEATURES, HIDDEN)
