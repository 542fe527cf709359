"""VGG11 with batch norm, for small images, spiking."""

from __future__ import annotations

from keras_ssp.models.builder import NetworkBuilder
from keras_ssp.models.chains import POOL, chain
from keras_ssp.models.registry import network
from keras_ssp.types import Tensor

FEATURES = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)
HIDDEN = (512, 512)


@network("vgg11", halvings=FEATURES.count(POOL))
def vgg11(net: NetworkBuilder, x: Tensor) -> Tensor:
    """VGG11 (configuration A) with batch norm, for images such as those of CIFAR.

        conv 64 - pool - conv 128 - pool - conv 256 - conv 256 - pool
        - conv 512 - conv 512 - pool - conv 512 - conv 512 - pool
        - dense 512 - dense 512 - dense classes

    Batch norm and LIF follow every 3x3 convolution and hidden dense layer; the first
    convolution and its norm run once per image, before the encoding. The convolutions
    are those of the reference, the classifier (512 units instead of 4096) is our
    choice: the table of the paper's spiking VGG11 is not known to us. Pools round up,
    so 28x28 images end at 1x1 as 32x32 ones do.

    Example:

    >>> model = vgg11((32, 32, 3), 10, width=0.125, activation="relu")
    >>> model.get_layer("pool8").output.shape
    (None, 1, 1, 64)

    Reference: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale
    Image Recognition", ICLR 2015; spiking networks of this kind: Suetake et al.,
    arXiv 2302.01500.
    """
    return chain(net, x, FEATURES, HIDDEN)
