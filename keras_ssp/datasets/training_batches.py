"""Batches for training: shuffled, augmented and normalised, the same after a resume.

What a step sees is a function of `(seed, epoch, step)` alone, so that a run which was
killed and taken up again sees just what the unbroken run would have seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_ssp._checks import one_of, positive_int
from keras_ssp.datasets.images import ImageData

AUGMENTATIONS = ("none", "standard")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is done to a training image.

    Args:
        pad: Black pixels added on every side before a crop of the old size.
        flip: Whether every other image is mirrored.
    """

    pad: int = 0
    flip: bool = False


# The usual choices of the field; a digit has no mirror image.
_STANDARD = {
    "digits": Augmentation(pad=1),
    "mnist": Augmentation(pad=2),
    "fashion_mnist": Augmentation(pad=2, flip=True),
    "cifar10": Augmentation(pad=4, flip=True),
    "cifar100": Augmentation(pad=4, flip=True),
}


def augmentation(name: str, data: ImageData) -> Augmentation:
    """The `Augmentation` called `name` for a data set.

    Raises:
        ValueError: If `name` is not `"none"` or `"standard"`, or no standard is known
            for this data.
    """
    one_of("augment", name, AUGMENTATIONS)
    if name == "none":
        return Augmentation()
    if data.name not in _STANDARD:
        raise ValueError(
            "`augment` must be 'none' for data without a standard augmentation. "
            f"Received: augment={name!r}, data={data.name!r}."
        )
    return _STANDARD[data.name]


def steps_per_epoch(data: ImageData, batch_size: int) -> int:
    """Batches in one pass; the samples that do not fill the last one wait an epoch.

    Full batches only: every step has one shape, and is compiled once.
    """
    return max(1, len(data.train) // batch_size)


def training_batches(
    data: ImageData,
    *,
    batch_size: int,
    seed: int = 0,
    augment: Augmentation | None = None,
    first_epoch: int = 0,
) -> Any:
    """Endless batches `(x, one-hot y)` for `fit(..., steps_per_epoch=...)`.

    A `tf.data.Dataset` on the TensorFlow backend, else a NumPy generator: both
    normalise as `data.normalized` does, and augment by the same rule from random
    numbers of their own.

    Args:
        data: The data; its training part is used.
        batch_size: Rows per batch, at most the number of samples.
        seed: Of the order and of the augmentation.
        augment: What is done to the images. Defaults to nothing.
        first_epoch: The epoch to begin with, counted from 0.

    Raises:
        ValueError: If `batch_size` breaks its rule.

    Example:

    >>> from keras_ssp import datasets
    >>> batches = training_batches(datasets.load("digits"), batch_size=32)
    >>> x, y = next(iter(batches))
    >>> tuple(x.shape), tuple(y.shape)
    ((32, 8, 8, 1), (32, 10))
    """
    batch_size = positive_int("batch_size", batch_size)
    if batch_size > len(data.train):
        raise ValueError(
            "`batch_size` must be at most the number of training samples "
            f"({len(data.train)}). Received: batch_size={batch_size}."
        )
    augment = augment or Augmentation()
    if keras.backend.backend() == "tensorflow":
        return _tf_batches(data, batch_size, seed, augment, first_epoch)
    return _numpy_batches(data, batch_size, seed, augment, first_epoch)


def _tf_batches(
    data: ImageData, batch_size: int, seed: int, augment: Augmentation, first: int
) -> Any:
    import tensorflow as tf

    x, y = tf.constant(data.train.x), tf.one_hot(data.train.y, data.classes)
    scale, shift = data.scale_and_shift()
    steps = steps_per_epoch(data, batch_size)

    def epoch(e: Any) -> Any:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(data.train)), seed=tf.stack([seed, e])
        )
        rows = tf.data.Dataset.from_tensor_slices(order).batch(
            batch_size, drop_remainder=True
        )
        return rows.enumerate().map(lambda k, index: (e * steps + k, index))

    def batch(step: Any, index: Any) -> tuple[Any, Any]:
        images = tf.gather(x, index)
        images = _tf_augmented(tf, images, augment, seed, step)
        return tf.cast(images, "float32") * scale + shift, tf.gather(y, index)

    epochs = tf.data.Dataset.range(first, 2**40)
    return epochs.flat_map(epoch).map(batch, num_parallel_calls=2).prefetch(2)


def _tf_augmented(tf: Any, x: Any, augment: Augmentation, seed: int, step: Any) -> Any:
    rows, height, width = x.shape[0], x.shape[1], x.shape[2]
    if augment.flip:
        draw = tf.random.stateless_uniform((rows, 1, 1, 1), seed=tf.stack([seed, step]))
        x = tf.where(draw < 0.5, x[:, :, ::-1], x)
    if augment.pad:
        pad, seeds = augment.pad, tf.stack([seed + 1, step])
        offset = tf.random.stateless_uniform(
            (rows, 2), seed=seeds, maxval=2 * pad + 1, dtype="int32"
        )
        x = tf.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        # One gather per axis: each image has its own window.
        x = tf.gather(x, offset[:, :1] + tf.range(height), axis=1, batch_dims=1)
        x = tf.gather(x, offset[:, 1:] + tf.range(width), axis=2, batch_dims=1)
    return x


def _numpy_batches(
    data: ImageData, batch_size: int, seed: int, augment: Augmentation, first: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    y = np.eye(data.classes, dtype="float32")[data.train.y]
    steps = steps_per_epoch(data, batch_size)
    epoch = first
    while True:
        order = np.random.default_rng([abs(seed), epoch]).permutation(len(data.train))
        for k in range(steps):
            index = order[k * batch_size : (k + 1) * batch_size]
            rng = np.random.default_rng([abs(seed), epoch, k])
            images = augmented(data.train.x[index], augment, rng)
            yield data.normalized(images), y[index]
        epoch += 1


def augmented(
    x: np.ndarray, augment: Augmentation, rng: np.random.Generator
) -> np.ndarray:
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
