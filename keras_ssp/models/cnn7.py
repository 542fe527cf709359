"""CNN7: seven weight layers, for 28x28 and 32x32 images."""

from __future__ import annotations

from typing import Any

import keras

from keras_ssp.models.builder import POOL, Network

FEATURES = (32, 32, POOL, 64, 64, POOL, 128, POOL)
HIDDEN = (256,)


def cnn7(
    input_shape: tuple[int, ...],
    classes: int,
    *,
    width: float = 1.0,
    time_steps: int = 4,
    activation: str = "lif",
    pooling: str = "average",
    name: str = "cnn7",
    **lif: Any,
) -> keras.Model:
    """Seven weight layers, for images such as those of Fashion-MNIST.

        conv 32 - conv 32 - pool - conv 64 - conv 64 - pool - conv 128 - pool
        - dense 256 - dense classes

    Every 3x3 convolution and hidden dense layer is followed by batch norm and LIF;
    the first convolution and its norm run once per image, before the encoding. The
    layer table is ours: that of the paper's CNN7 is not known to us.

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
        pooling: `"average"` or `"max"`. Defaults to `"average"`.
        name: Name of the model.
        **lif: Arguments of all `LIF` layers, with `activation="lif"` only.

    Returns:
        A `keras.Model` that returns logits, `(batch, classes)`.

    Raises:
        ValueError: If an argument breaks its rule.

    Example:

    >>> model = cnn7((28, 28, 1), 10, width=0.25, beta=0.9)
    >>> [layer.name for layer in model.layers if isinstance(layer, LIF)]
    ['lif1', 'lif2', 'lif3', 'lif4', 'lif5', 'lif6']

    Reference: for spiking networks of this kind, Suetake et al., arXiv 2302.01500.
    """
    network = Network(
        width=width,
        time_steps=time_steps,
        activation=activation,
        pooling=pooling,
        lif=lif,
    )
    return network.chain(input_shape, classes, FEATURES, HIDDEN, name)
