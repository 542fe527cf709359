"""A small convolutional spiking network, for demonstrations and CPU runs."""

from __future__ import annotations

from typing import Any

import keras

from keras_ssp.models.builder import POOL, Network

FEATURES = (16, POOL, 32, POOL)
HIDDEN = (64,)


def small_cnn(
    input_shape: tuple[int, ...],
    classes: int,
    *,
    width: float = 1.0,
    time_steps: int = 4,
    activation: str = "lif",
    pooling: str = "average",
    name: str = "small_cnn",
    **lif: Any,
) -> keras.Model:
    """Four weight layers, for demonstrations and small images.

        conv 16 - pool - conv 32 - pool - dense 64 - dense classes

    Every 3x3 convolution and hidden dense layer is followed by batch norm and LIF;
    the first convolution and its norm run once per image, before the encoding. The
    layer table is ours, not a network of the paper.

    Args:
        input_shape: `(height, width, channels)` of the images, or `(T, height, width,
            channels)` of event counts; height and width at least 3.
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

    >>> small_cnn((8, 8, 1), 10, width=0.5).output_shape
    (None, 10)

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
