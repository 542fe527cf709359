"""A small convolutional spiking network, for demonstrations and CPU runs."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from keras_ssp._checks import positive_int
from keras_ssp.layers import LIF, DirectEncoding, RateReadout


def small_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: int = 16,
    time_steps: int = 4,
    name: str = "small_cnn",
    **lif: Any,
) -> keras.Model:
    """Two convolutions and a dense layer, spiking in between.

        conv1 (width, 3x3) - batch norm - direct encoding - LIF - average pool 2
        conv2 (2 width, 3x3) - batch norm - LIF - average pool 2
        dense1 (4 width) - batch norm - LIF - dense2 (classes) - mean over time

    The first convolution stands in front of the encoding and runs once per image.
    The table is ours, not a network of the paper.

    Args:
        input_shape: `(height, width, channels)` of the images.
        classes: Number of classes.
        width: Filters of the first convolution. Defaults to 16.
        time_steps: T. Defaults to 4.
        name: Name of the model.
        **lif: Arguments of all `LIF` layers.

    Returns:
        A `keras.Model` that returns logits, `(batch, classes)`.

    Raises:
        ValueError: If an argument breaks its rule.

    Example:

    >>> small_cnn((8, 8, 1), 10, width=8).output_shape
    (None, 10)
    """
    positive_int("width", width)
    positive_int("classes", classes)
    x = keras.Input(input_shape, name="image")
    y = layers.Conv2D(width, 3, padding="same", use_bias=False, name="conv1")(x)
    y = layers.BatchNormalization(name="norm1")(y)
    y = DirectEncoding(time_steps, name="encoding")(y)
    y = LIF(name="lif1", **lif)(y)
    y = layers.AveragePooling2D(2, name="pool1")(y)
    y = layers.Conv2D(2 * width, 3, padding="same", use_bias=False, name="conv2")(y)
    y = layers.BatchNormalization(name="norm2")(y)
    y = LIF(name="lif2", **lif)(y)
    y = layers.AveragePooling2D(2, name="pool2")(y)
    y = layers.Flatten(name="flatten")(y)
    y = layers.Dense(4 * width, use_bias=False, name="dense1")(y)
    y = layers.BatchNormalization(name="norm3")(y)
    y = LIF(name="lif3", **lif)(y)
    y = layers.Dense(classes, name="dense2")(y)
    return keras.Model(x, RateReadout(name="readout")(y), name=name)
