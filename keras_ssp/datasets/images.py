"""Image data in three parts, and what networks are fed of them.

The validation part chooses (lambda, epochs, ...), the test part only reports.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

import numpy as np

from keras_ssp._checks import one_of
from keras_ssp.types import Array, Config, Sizes

PARTS = ("train", "validation", "test")
_ROWS = 1024  # that are hashed at a time, so that no copy of all images is made


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is done to a training image.

    Args:
        pad: Black pixels added on every side before a crop of the old size.
        flip: Whether every other image is mirrored.
    """

    pad: int = 0
    flip: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Samples as they are stored, `(n, height, width, channels)`, and their labels.

    Event data has a time axis of its own: `(n, T, height, width, channels)`.

    Args:
        x: The samples.
        y: Their labels, `(n,)` integers.

    Raises:
        ValueError: If the two differ in length.
    """

    x: Array
    y: Array

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(
                "`x` and `y` must have one length. Received: "
                f"len(x)={len(self.x)}, len(y)={len(self.y)}."
            )

    def __len__(self) -> int:
        return len(self.x)

    def take(self, n: int | None) -> Split:
        """The first `n` samples, all for `None`."""
        return Split(self.x[:n], self.y[:n])

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of samples and labels, in their order.

        Their values decide, whatever the dtype, the byte order or the memory layout
        in which they are stored; numbers count as float32, as networks see them.
        """
        found = hashlib.blake2b(repr(np.shape(self.x)).encode(), digest_size=16)
        for start in range(0, len(self), _ROWS):
            found.update(_canonical_bytes(np.asarray(self.x[start : start + _ROWS])))
        found.update(np.asarray(self.y).astype("<i8").tobytes())
        return found.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """One part of the data as a network is fed it: normalised, with the labels.

    The samples are normalised when they are asked for, and kept as long as this
    object is.

    Args:
        data: The data set, whose normalisation it is.
        split: The samples as they are stored.
    """

    data: ImageData
    split: Split

    def __len__(self) -> int:
        return len(self.split)

    @functools.cached_property
    def x(self) -> Array:
        """The samples, float32, normalised."""
        return self.data.normalized(self.split.x)

    @property
    def y(self) -> Array:
        """The labels."""
        return self.split.y

    @property
    def one_hot(self) -> Array:
        """The labels as `(n, classes)` zeros and ones, float32."""
        return np.eye(self.data.classes, dtype="float32")[self.split.y]

    def take(self, n: int | None) -> Inputs:
        """The first `n` samples, all for `None`; only they are normalised."""
        return Inputs(self.data, self.split.take(n))


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """A data set in three parts.

    Args:
        name: Its name.
        classes: Number of classes; labels are `0 ... classes - 1`.
        train, validation, test: Its parts.
        peak: What a stored value of full brightness is; 1 for event counts.
        mean, std: Of the values in [0, 1], one per channel or one for all.
        augmentation: What `augment="standard"` does to its training images. Defaults
            to `None`: it has no standard one.
        labels: Names of the classes, for people. Defaults to `None`.

    Example:

    >>> events = np.zeros((6, 4, 34, 34, 2), "uint8")  # (n, T, height, width, polarity)
    >>> part = Split(events, np.arange(6) % 2)
    >>> data = ImageData("mine", 2, part, part, part)
    >>> data.sample_shape
    (4, 34, 34, 2)
    >>> data.inputs("test").x.dtype
    dtype('float32')
    """

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split
    peak: float = 1.0
    mean: Sequence[float] = (0.0,)
    std: Sequence[float] = (1.0,)
    augmentation: Augmentation | None = None
    labels: Sequence[str] | None = None

    @property
    def sample_shape(self) -> Sizes:
        """The shape of one sample, channels last."""
        return tuple(self.train.x.shape[1:])

    def inputs(self, part: str) -> Inputs:
        """What a network is fed of a part: `"train"`, `"validation"` or `"test"`."""
        return Inputs(self, self._part(part))

    def normalized(self, x: Array) -> Array:
        """`(x / peak - mean) / std` per channel, float32: what networks are fed."""
        scale, shift = self.scale_and_shift()
        return np.asarray(x, "float32") * scale + shift

    def scale_and_shift(self) -> tuple[Array, Array]:
        """The two constants of the normalisation, float32, one per channel."""
        std = np.asarray(self.std, "float64")
        scale = 1.0 / (self.peak * std)
        return scale.astype("float32"), (-np.asarray(self.mean) / std).astype("float32")

    def limited(self, train: int | None) -> ImageData:
        """The first `train` training samples and as large a share for validation.

        The test part stays whole: results remain comparable.
        """
        if train is None or train >= len(self.train):
            return self
        share = -(-train * len(self.validation) // len(self.train))
        return dataclasses.replace(
            self,
            train=self.train.take(train),
            validation=self.validation.take(share),
        )

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides what a network is fed; the name is not in it."""
        text = repr([v for k, v in self.describe().items() if k != "name"])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def describe(self) -> Config:
        """What tells this data set from another one, JSON-ready.

        Example:

        >>> part = Split(np.zeros((2, 4, 4, 1), "uint8"), np.array([0, 1]))
        >>> found = ImageData("mine", 2, part, part, part).describe()
        >>> found["name"], found["sample_shape"], found["test"]["samples"]
        ('mine', [4, 4, 1], 2)
        """
        parts = {part: self._part(part) for part in PARTS}
        return {
            "name": self.name,
            "classes": int(self.classes),
            "sample_shape": [int(n) for n in self.sample_shape],
            "peak": float(self.peak),
            "mean": [float(m) for m in np.ravel(self.mean)],
            "std": [float(s) for s in np.ravel(self.std)],
            **{
                name: {"samples": len(part), "fingerprint": part.fingerprint}
                for name, part in parts.items()
            },
        }

    def _part(self, name: str) -> Split:
        found: Split = getattr(self, one_of("part", name, PARTS))
        return found


def canonical(split: Split) -> Split:
    """The samples in an order that their contents alone decide.

    By the BLAKE2 hash of image and label, which no source's own order enters. So which
    image is in which part depends on nothing but the images: tensorflow-datasets and
    `keras.datasets` keep them in different orders, and both give the same arrays.
    """
    keys = [
        hashlib.blake2b(
            np.ascontiguousarray(x).tobytes() + _label_bytes(int(y)), digest_size=8
        )
        for x, y in zip(split.x, split.y, strict=True)
    ]
    order = np.argsort([int.from_bytes(k.digest(), "big") for k in keys], kind="stable")
    return Split(split.x[order], split.y[order])


def _label_bytes(y: int) -> bytes:
    # One byte for most data sets, whose order it has always decided.
    return y.to_bytes(max(1, -(-y.bit_length() // 8)), "little")


def _canonical_bytes(x: Array) -> bytes:
    """The values of an array: as uint8 where they all are, else as float32."""
    if x.dtype != np.uint8:
        wide = x.astype("<f4")
        # Most images are stored as bytes, and four times as many take four times
        # as long to hash. NaN is not within the limits, as it should not be.
        narrow = wide.size and 0 <= wide.min() and wide.max() <= 255
        x = wide.astype("u1") if narrow else wide
        if not (narrow and np.array_equal(x, wide)):
            return b"f4" + wide.tobytes()
    return b"u1" + np.ascontiguousarray(x).tobytes()
