"""Batches for training: shuffled, augmented and normalised, the same after a resume.

What a step sees is a function of `(seed, epoch, step)` alone, so that a run that was
killed and resumed sees just what the unbroken run would have seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np

from keras_ssp._checks import positive_int
from keras_ssp.datasets.augmentation import augmented, tf_augmented
from keras_ssp.datasets.images import Augmentation, ImageData
from keras_ssp.types import Array, Data, Tensor


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TrainingBatches:
    """Endless batches `(x, one-hot y)` of the training part of a data set.

    Args:
        data: The data.
        batch_size: Rows per batch, at most the number of training samples.
        seed: Of the order and of the augmentation. Defaults to 0.
        augmentation: What is done to the images. Defaults to nothing.
        first_epoch: The epoch to begin with, counted from 0.

    Raises:
        ValueError: If `batch_size` is not a positive integer, or larger than the
            training part.

    Example:

    >>> from keras_ssp import datasets
    >>> batches = TrainingBatches(data=datasets.load("digits"), batch_size=32)
    >>> batches.steps_per_epoch
    35
    >>> x, y = next(iter(batches.stream()))
    >>> tuple(x.shape), tuple(y.shape)
    ((32, 8, 8, 1), (32, 10))
    """

    data: ImageData
    batch_size: int
    seed: int = 0
    augmentation: Augmentation = Augmentation()
    first_epoch: int = 0

    def __post_init__(self) -> None:
        positive_int("batch_size", self.batch_size)
        if self.batch_size > len(self.data.train):
            raise ValueError(
                "`batch_size` must be at most the number of training samples "
                f"({len(self.data.train)}). Received: batch_size={self.batch_size}."
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass; the samples that do not fill the last one wait an epoch.

        Full batches only: every step has one shape, and is compiled once.
        """
        return len(self.data.train) // self.batch_size

    def stream(self) -> Data:
        """The batches for `fit(..., steps_per_epoch=batches.steps_per_epoch)`.

        A `tf.data.Dataset` on the TensorFlow backend, else a NumPy generator: both
        normalise as `data.normalized` does, and augment by the same rule from random
        numbers of their own.
        """
        if keras.backend.backend() == "tensorflow":
            return _tensorflow(self)
        return _numpy(self)


def _tensorflow(batches: TrainingBatches) -> Data:
    import tensorflow as tf

    data, seed, steps = batches.data, batches.seed, batches.steps_per_epoch
    x, y = tf.constant(data.train.x), tf.one_hot(data.train.y, data.classes)
    # For each column as well: TensorFlow is slow where few channels are broadcast.
    row = data.sample_shape[1:]
    scale, shift = (
        np.broadcast_to(values, row).ravel() for values in data.scale_and_shift()
    )

    def epoch(e: Tensor) -> Data:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(data.train)), seed=tf.stack([seed, e])
        )
        rows = tf.data.Dataset.from_tensor_slices(order).batch(
            batches.batch_size, drop_remainder=True
        )
        return rows.enumerate().map(lambda k, index: (e * steps + k, index))

    def batch(step: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        images = tf.gather(x, index)
        images = tf_augmented(images, batches.augmentation, seed, step)
        rows = tf.reshape(tf.cast(images, "float32"), (-1, len(scale)))
        return tf.reshape(rows * scale + shift, images.shape), tf.gather(y, index)

    epochs = tf.data.Dataset.range(batches.first_epoch, 2**40)
    return epochs.flat_map(epoch).map(batch, num_parallel_calls=2).prefetch(2)


def _numpy(batches: TrainingBatches) -> Iterator[tuple[Array, Array]]:
    data, size, seed = batches.data, batches.batch_size, abs(batches.seed)
    y = data.inputs("train").one_hot
    epoch = batches.first_epoch
    while True:
        order = np.random.default_rng([seed, epoch]).permutation(len(data.train))
        for k in range(batches.steps_per_epoch):
            index = order[k * size : (k + 1) * size]
            rng = np.random.default_rng([seed, epoch, k])
            images = augmented(data.train.x[index], batches.augmentation, rng)
            yield data.normalized(images), y[index]
        epoch += 1
