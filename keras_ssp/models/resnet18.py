"""ResNet-18 for small images, spiking."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from keras_ssp._checks import positive_int
from keras_ssp.models.builder import Network, image_input

STEM = 64
BLOCKS = ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))


def resnet18(
    input_shape: tuple[int, ...],
    classes: int,
    *,
    width: float = 1.0,
    time_steps: int = 4,
    activation: str = "lif",
    pooling: str = "average",
    name: str = "resnet18",
    **lif: Any,
) -> keras.Model:
    """ResNet-18 with the stem of CIFAR networks: 3x3, stride 1, no pool.

        conv 64 - 2 blocks 64 - 2 blocks 128 - 2 blocks 256 - 2 blocks 512
        - global pool - dense classes

    A block is conv - norm - LIF - conv - norm, plus its input, then LIF: the sum
    stands before the neuron, so that only spikes drive weights. The first block of the
    last three stages has stride 2, and a 1x1 convolution with stride 2 and norm on
    the shortcut; the other blocks start as the identity on spikes. The first
    convolution and its norm run once per image, before the encoding. The layer table
    is ours: that of the paper's spiking ResNet18 is not known to us.

    Args:
        input_shape: `(height, width, channels)` of the images, or `(T, height, width,
            channels)` of event counts; height and width at least 5.
        classes: Number of classes.
        width: Positive float that multiplies all filter counts (rounded, at least 1).
            Defaults to 1.0.
        time_steps: T; with `"qcfs"` the number of levels. `"relu"` has none. Defaults
            to 4.
        activation: `"lif"`; `"relu"` or `"qcfs"` make the ANN of the same shape,
            whose layers with weights have the same names. Defaults to `"lif"`.
        pooling: Of the head, the only pool: `"average"` or `"max"`. Defaults to
            `"average"`.
        name: Name of the model.
        **lif: Arguments of all `LIF` layers, with `activation="lif"` only.

    Returns:
        A `keras.Model` that returns logits, `(batch, classes)`.

    Raises:
        ValueError: If an argument breaks its rule.

    Example:

    >>> model = resnet18((32, 32, 3), 10, width=0.125, time_steps=2)
    >>> model.get_layer("block8_lif2").output.shape, model.output_shape
    ((None, 4, 4, 64), (None, 10))

    Reference: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016;
    spiking networks of this kind: Suetake et al., arXiv 2302.01500.
    """
    network = Network(
        width=width,
        time_steps=time_steps,
        activation=activation,
        pooling=pooling,
        lif=lif,
    )
    halvings = sum(strides == 2 for _, strides in BLOCKS)
    x = image_input(name, input_shape, halvings=halvings)
    classes = positive_int("classes", classes)
    y = network.stem(x, STEM)
    for number, (filters, strides) in enumerate(BLOCKS, start=1):
        y = _block(network, y, filters, strides, f"block{number}_")
    y = network.head(network.global_pool(y), classes, "dense")
    return keras.Model(x, y, name=name)


def _block(network: Network, x: Any, filters: int, strides: int, prefix: str) -> Any:
    y = network.conv(x, filters, 1, prefix=prefix, strides=strides)
    y = network.neurons(y, 1, prefix=prefix)
    y = network.conv(y, filters, 2, prefix=prefix, identity=strides == 1)
    if strides != 1:  # only there the shapes differ
        x = network.conv(
            x, filters, "_shortcut", prefix=prefix, size=1, strides=strides
        )
    y = layers.Add(name=f"{prefix}add")([y, x])
    return network.neurons(y, 2, prefix=prefix)
