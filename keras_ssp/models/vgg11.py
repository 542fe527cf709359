"""VGG11 with batch norm, for small images, spiking."""

from __future__ import annotations

from typing import Any

import keras

from keras_ssp.models.builder import POOL, Network

FEATURES = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)
HIDDEN = (512, 512)


def vgg11(
    input_shape: tuple[int, ...],
    classes: int,
    *,
    width: float = 1.0,
    time_steps: int = 4,
    activation: str = "lif",
    pooling: str = "average",
    name: str = "vgg11",
    **lif: Any,
) -> keras.Model:
    """VGG11 (configuration A) with batch norm, for images such as those of CIFAR.

        conv 64 - pool - conv 128 - pool - conv 256 - conv 256 - pool
        - conv 512 - conv 512 - pool - conv 512 - conv 512 - pool
        - dense 512 - dense 512 - dense classes

    Every 3x3 convolution and hidden dense layer is followed by batch norm and LIF;
    the first convolution and its norm run once per image, before the encoding. The
    convolutions are those of the reference, the classifier (512 units instead of
    4096) is our choice: the table of the paper's spiking VGG11 is not known to us.
    Pools round up, so 28x28 images end at 1x1 as 32x32 ones do.

    Args:
        input_shape: `(height, width, channels)` of the images, or `(T, height, width,
            channels)` of event counts; height and width at least 17.
        classes: Number of classes.
        width: Positive float that multiplies all filter counts (rounded, at least 1).
            Defaults to 1.0.
        time_steps: T; with `"qcfs"` the number of levels. `"relu"` has none. Defaults
            to 4.
        activation: `"lif"`; `"relu"` or `"qcfs"` make the ANN of the same shape,
            whose layers with weights have the same names. Defaults to `"lif"`.
        pooling: `"average"` or `"max"`. Defaults to `"average"`.
        name: Name of the model.
        **lif: Arguments of all `LIF` layers, with `activation="lif"` only.

    Returns:
        A `keras.Model` that returns logits, `(batch, classes)`.

    Raises:
        ValueError: If an argument breaks its rule.

    Example:

    >>> model = vgg11((32, 32, 3), 10, width=0.125, activation="relu")
    >>> model.get_layer("pool8").output.shape
    (None, 1, 1, 64)

    Reference: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale
    Image Recognition", ICLR 2015; spiking networks of this kind: Suetake et al.,
    arXiv 2302.01500.
    """
    network = Network(
        width=width,
        time_steps=time_steps,
        activation=activation,
        pooling=pooling,
        lif=lif,
    )
    return network.chain(input_shape, classes, FEATURES, HIDDEN, name)
