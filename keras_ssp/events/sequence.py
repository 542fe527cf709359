"""Recordings that are read and counted while a network trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_ssp._checks import boolean, function, positive_int, whole
from keras_ssp.events.frames import Events, to_frames
from keras_ssp.events.readers import read as read_file
from keras_ssp.types import Array, Sizes, StrPath


class FrameSequence(keras.utils.PyDataset):
    """Frames of recordings on disk, batch by batch, for `fit` and `energy_report`.

    Only one batch of recordings is in memory at a time.

    Args:
        files: The recordings.
        labels: A label for each, `(n,)`. Defaults to `None`: batches have none.
        shape: `(height, width)` of the sensor.
        time_steps: T, the number of frames.
        batch_size: Recordings per batch. Defaults to 32.
        shuffle: Whether each epoch has an order of its own. Defaults to `False`.
        seed: Of these orders. Defaults to 0.
        read: Function that reads a file and returns an `Events`. Defaults to
            `keras_ssp.events.read`.
        workers: Threads that read ahead. Defaults to 1.
        **frames: Further arguments of `to_frames`.

    Raises:
        ValueError: If there is no file, or not one label for each.

    Example:

    >>> for k in range(4):
    ...     np.savez(f"{k}.npz", x=[k], y=[0], t=[0], p=[1])
    >>> batches = FrameSequence([f"{k}.npz" for k in range(4)], labels=[0, 1, 0, 1],
    ...                         shape=(2, 4), time_steps=3, batch_size=2)
    >>> x, y = batches[1]
    >>> x.shape, y
    ((2, 3, 2, 4, 2), array([0, 1]))
    """

    def __init__(
        self,
        files: Sequence[StrPath],
        labels: Sequence[int] | Array | None = None,
        *,
        shape: Sizes,
        time_steps: int,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        read: Callable[[StrPath], Events] = read_file,
        workers: int = 1,
        **frames: Any,
    ) -> None:
        super().__init__(workers=workers)
        if isinstance(files, (str, bytes)) or not len(files):
            raise ValueError(f"`files` must be a list of paths. Received: {files!r}.")
        self.files = list(files)
        self.labels = None if labels is None else np.asarray(labels)
        if self.labels is not None and len(self.labels) != len(self.files):
            raise ValueError(
                "`labels` must be one for each file. Received: "
                f"{len(self.labels)} labels of {len(self.files)} files."
            )
        self.batch_size = positive_int("batch_size", batch_size)
        self.shuffle, self.seed = boolean("shuffle", shuffle), whole("seed", seed)
        self.read = function("read", read)
        self._frames = {"shape": shape, "time_steps": time_steps, **frames}
        # Wrong arguments show here, not in the middle of an epoch.
        to_frames(Events(*np.zeros((3, 0), "int64")), **self._frames)
        self._epoch = 0
        self._order = self._shuffled()

    def __len__(self) -> int:
        return -(-len(self.files) // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        recordings = [self.read(self.files[row]) for row in rows]
        x = to_frames(recordings, **self._frames).astype("float32")
        return x if self.labels is None else (x, self.labels[rows])

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> Array:
        n = len(self.files)
        if not self.shuffle:
            return np.arange(n)
        return np.random.default_rng((self.seed, self._epoch)).permutation(n)
