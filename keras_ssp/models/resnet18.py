"""ResNet-18 for small images, spiking."""

from __future__ import annotations

from keras import layers

from keras_ssp.models.builder import NetworkBuilder
from keras_ssp.models.registry import network
from keras_ssp.types import Tensor

STEM = 64
BLOCKS = ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))


@network("resnet18", halvings=sum(strides == 2 for _, strides in BLOCKS))
def resnet18(net: NetworkBuilder, x: Tensor) -> Tensor:
    """ResNet-18 with the stem of CIFAR networks: 3x3, stride 1, no pool.

        conv 64 - 2 blocks 64 - 2 blocks 128 - 2 blocks 256 - 2 blocks 512
        - global pool - dense classes

    A block is conv - norm - LIF - conv - norm, plus its input, then LIF: the sum comes
    before the neuron, so that only spikes drive weights. The first block of the last
    three stages has stride 2, and a 1x1 convolution with stride 2 and norm on the
    shortcut; the other blocks start as the identity on spikes. The first convolution
    and its norm run once per image, before the encoding. The only pool is that of the
    head. The layer table is ours: that of the paper's spiking ResNet18 is not known
    to us.

    Example:

    >>> model = resnet18((32, 32, 3), 10, width=0.125, time_steps=2)
    >>> model.get_layer("block8_lif2").output.shape, model.output_shape
    ((None, 4, 4, 64), (None, 10))

    Reference: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016;
    spiking networks of this kind: Suetake et al., arXiv 2302.01500.
    """
    y = net.stem(x, STEM)
    for number, (filters, strides) in enumerate(BLOCKS, start=1):
        y = _block(net, y, filters, strides, f"block{number}_")
    return net.head(net.global_pool(y), name="dense")


def _block(
    net: NetworkBuilder, x: Tensor, filters: int, strides: int, prefix: str
) -> Tensor:
    y = net.conv(x, filters, prefix=prefix, strides=strides)
    y = net.neurons(y, prefix=prefix)
    y = net.conv(y, filters, prefix=prefix, identity=strides == 1)
    if strides != 1:  # only there the shapes differ
        x = net.conv(x, filters, "_shortcut", prefix=prefix, size=1, strides=strides)
    y = layers.Add(name=f"{prefix}add")([y, x])
    return net.neurons(y, prefix=prefix)
