"""Image data, split into train, validation and test once and for all.

The validation part chooses (lambda, epochs, ...), the test part only reports.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_ssp._checks import one_of, real
from keras_ssp._extras import require

TFDS_NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100")
NAMES = ("digits", *TFDS_NAMES)

# The split is part of the data set: another seed would be another benchmark.
_SPLIT_SEED = 20230208
_DIGITS_TEST_FRACTION = 0.3


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images in [0, 1], float32, `(n, height, width, channels)`, and labels."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def take(self, n: int) -> Split:
        """The first `n` samples."""
        return Split(self.x[:n], self.y[:n])


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """A data set in three parts."""

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(height, width, channels)`."""
        return tuple(self.train.x.shape[1:])


def load(
    name: str, *, data_dir: str | None = None, validation: float = 0.1
) -> ImageData:
    """Loads a data set as NumPy arrays.

    Args:
        name: `"digits"` (1797 scans of 8x8, ships with scikit-learn), `"mnist"`,
            `"fashion_mnist"`, `"cifar10"` or `"cifar100"` (tensorflow-datasets).
        data_dir: Where tensorflow-datasets keeps its data. Defaults to the
            environment variable `TFDS_DATA_DIR`, then `~/tensorflow_datasets`.
        validation: Fraction of the training data that is held out, in [0.01, 0.5].
            Defaults to 0.1.

    Returns:
        An `ImageData`; the same split every time.

    Raises:
        ValueError: If `name` is unknown or `validation` breaks its rule.
        ImportError: If `"digits"` is asked for without scikit-learn.
        OSError: If the data is neither there nor can be downloaded.

    Example:

    >>> data = load("digits")
    >>> data.image_shape, data.classes
    ((8, 8, 1), 10)
    """
    one_of("name", name, NAMES)
    real("validation", validation, low=0.01, high=0.5)
    if name == "digits":
        train, test = _digits()
    else:
        train, test = _tfds(name, data_dir)
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(train))
    held_out = round(validation * len(train))
    return ImageData(
        name=name,
        classes=int(train.y.max()) + 1,
        train=_pick(train, order[held_out:]),
        validation=_pick(train, order[:held_out]),
        test=test,
    )


def _digits() -> tuple[Split, Split]:
    raw = require("sklearn.datasets", extra="demo").load_digits()
    whole = Split(
        (raw.images[..., None] / 16.0).astype("float32"), raw.target.astype("int32")
    )
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(whole))
    held_out = round(_DIGITS_TEST_FRACTION * len(whole))
    return _pick(whole, order[held_out:]), _pick(whole, order[:held_out])


def _tfds(name: str, data_dir: str | None) -> tuple[Split, Split]:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
    except Exception as error:  # whatever the download raises, the remedy is one
        raise OSError(
            f"Data set '{name}' is not on this machine and could not be downloaded "
            f"({type(error).__name__}). Remedy: run "
            f"`python -c \"import tensorflow_datasets as t; t.load('{name}')\"` where "
            "there is a network, copy its folder (the one with "
            f"{name}/<version>/dataset_info.json) here, and point TFDS_DATA_DIR or "
            "`data_dir` at it."
        ) from error
    parts = [_as_split(builder, tfds, part) for part in ("train", "test")]
    return parts[0], parts[1]


def _as_split(builder: Any, tfds: Any, part: str) -> Split:
    # In the files' own order, so that the split below is the same everywhere.
    data = builder.as_dataset(
        split=part, batch_size=-1, as_supervised=True, shuffle_files=False
    )
    x, y = tfds.as_numpy(data)
    return Split((x / np.float32(255.0)).astype("float32"), y.astype("int32"))


def _pick(split: Split, index: np.ndarray) -> Split:
    return Split(split.x[index], split.y[index])
