"""What is done to training images: mirror images and crops after padding."""

from __future__ import annotations

import numpy as np

from keras_ssp._checks import one_of
from keras_ssp.datasets.images import Augmentation, ImageData
from keras_ssp.types import Array, Tensor

AUGMENTATIONS = ("none", "standard")


def augmentation(name: str, data: ImageData) -> Augmentation:
    """The `Augmentation` called `name` for a data set.

    Args:
        name: `"none"` or `"standard"`, the data set's own.
        data: The data set.

    Raises:
        ValueError: If `name` is neither, or the data set has no standard one.

    Example:

    >>> from keras_ssp import datasets
    >>> augmentation("standard", datasets.load("digits"))
    Augmentation(pad=1, flip=False)
    """
    one_of("augment", name, AUGMENTATIONS)
    if name == "none":
        return Augmentation()
    if data.augmentation is None:
        raise ValueError(
            "`augment` must be 'none' for data without a standard augmentation. "
            f"Received: augment={name!r}, data={data.name!r}."
        )
    return data.augmentation


def augmented(x: Array, augment: Augmentation, rng: np.random.Generator) -> Array:
    """The images of one batch, mirrored and shifted at random.

    Args:
        x: Images, `(n, height, width, channels)`.
        augment: What to do.
        rng: Where the random numbers come from.

    Returns:
        An array like `x`.

    Example:

    >>> image = np.arange(4).reshape(1, 2, 2, 1)
    >>> augmented(image, Augmentation(), np.random.default_rng(0)).ravel().tolist()
    [0, 1, 2, 3]
    """
    n, height, width = x.shape[:3]
    if augment.flip:
        mirrored = np.asarray(rng.random(n) < 0.5)
        x = np.where(mirrored[:, None, None, None], x[:, :, ::-1], x)
    if augment.pad:
        pad = augment.pad
        top, left = rng.integers(0, 2 * pad + 1, (2, n, 1))
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        rows = (top + np.arange(height))[:, :, None]
        columns = (left + np.arange(width))[:, None, :]
        x = x[np.arange(n)[:, None, None], rows, columns]
    return x


def tf_augmented(x: Tensor, augment: Augmentation, seed: int, step: Tensor) -> Tensor:
    """`augmented` for TensorFlow: random numbers of `(seed, step)` alone."""
    import tensorflow as tf

    n, height, width = x.shape[:3]
    pad, columns = augment.pad, tf.range(width)[None]
    if pad:
        offset = tf.random.stateless_uniform(
            (n, 2), seed=tf.stack([seed + 1, step]), maxval=2 * pad + 1, dtype="int32"
        )
        x = tf.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        # One gather per axis: each image has its own window.
        x = tf.gather(x, offset[:, :1] + tf.range(height), axis=1, batch_dims=1)
        columns = columns + offset[:, 1:]
    if augment.flip:
        # By number of the column: to mirror all images and then choose takes longer
        # than all the rest.
        draw = tf.random.stateless_uniform((n, 1), seed=tf.stack([seed, step]))
        columns = tf.where(draw < 0.5, width + 2 * pad - 1 - columns, columns)
    if pad or augment.flip:
        x = tf.gather(x, columns, axis=2, batch_dims=1)
    return x
