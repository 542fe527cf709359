"""Image data, split into train, validation and test once and for all.

The validation part chooses (lambda, epochs, ...), the test part only reports. Which
image is in which part depends on nothing but the images: tensorflow-datasets and
`keras.datasets` keep them in different orders, and both give the same arrays here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable

import numpy as np

from keras_ssp._checks import one_of, positive_int, real
from keras_ssp._extras import require

# Pixel mean and standard deviation per channel, of the training images in [0, 1].
_STATISTICS = {
    "digits": ((0.3053,), (0.3763,)),
    "mnist": ((0.1307,), (0.3081,)),
    "fashion_mnist": ((0.2860,), (0.3530,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}
NAMES = tuple(_STATISTICS)
SOURCES = ("auto", "tfds", "keras", "npz")
_DIGITS_TEST_FRACTION = 0.3


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Samples as they are stored, `(n, height, width, channels)`, and their labels.

    Event data has a time axis of its own: `(n, T, height, width, channels)`.
    """

    x: np.ndarray
    y: np.ndarray

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(
                "`x` and `y` must have one length. Received: "
                f"len(x)={len(self.x)}, len(y)={len(self.y)}."
            )

    def __len__(self) -> int:
        return len(self.x)

    def take(self, n: int) -> Split:
        """The first `n` samples."""
        return Split(self.x[:n], self.y[:n])


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """A data set in three parts.

    Args:
        name: Its name.
        classes: Number of classes; labels are `0 ... classes - 1`.
        train, validation, test: Its parts.
        peak: What a stored value of full brightness is; 1 for event counts.
        mean, std: Of the values in [0, 1], one per channel or one for all.

    Example:

    >>> events = np.zeros((6, 4, 34, 34, 2), "uint8")  # (n, T, height, width, polarity)
    >>> part = Split(events, np.arange(6) % 2)
    >>> data = ImageData("mine", 2, part, part, part)
    >>> data.sample_shape
    (4, 34, 34, 2)
    """

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split
    peak: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample, channels last."""
        return tuple(self.train.x.shape[1:])

    def normalized(self, x: np.ndarray) -> np.ndarray:
        """`(x / peak - mean) / std` per channel, float32: what networks are fed."""
        scale, shift = self.scale_and_shift()
        return np.asarray(x, "float32") * scale + shift

    def scale_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
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


def load(
    name: str,
    *,
    data_dir: str | None = None,
    source: str = "auto",
    validation: float = 0.1,
) -> ImageData:
    """Loads a data set as NumPy arrays.

    Args:
        name: `"digits"` (1797 scans of 8x8, ships with scikit-learn), `"mnist"`,
            `"fashion_mnist"`, `"cifar10"` or `"cifar100"`.
        data_dir: Where tensorflow-datasets keeps its data, or the folder of
            `<name>.npz` (`save_npz`). Defaults to the environment variable
            `TFDS_DATA_DIR`, then `~/tensorflow_datasets`.
        source: `"tfds"`, `"keras"` (`keras.datasets`, no TensorFlow needed), `"npz"`,
            or `"auto"`: the file if there is one, then the other two in this order.
        validation: Fraction of the training data that is held out, in [0.01, 0.5].
            Defaults to 0.1.

    Returns:
        An `ImageData`; the same split every time, from every source.

    Raises:
        ValueError: If an argument breaks its rule.
        ImportError: If `"digits"` is asked for without scikit-learn.
        OSError: If the data is neither there nor can be downloaded.

    Example:

    >>> data = load("digits")
    >>> data.sample_shape, data.classes
    ((8, 8, 1), 10)
    """
    one_of("name", name, NAMES)
    one_of("source", source, SOURCES)
    real("validation", validation, low=0.01, high=0.5)
    mean, std = _STATISTICS[name]
    if name == "digits":
        whole = canonical(_digits())
        cut = round(_DIGITS_TEST_FRACTION * len(whole))
        train, test, peak = _between(whole, cut, None), _between(whole, 0, cut), 16.0
    else:
        parts = _from(source, name, data_dir)
        train, test, peak = canonical(parts[0]), canonical(parts[1]), 255.0
    held_out = round(validation * len(train))
    return ImageData(
        name=name,
        classes=int(train.y.max()) + 1,
        train=_between(train, held_out, None),
        validation=_between(train, 0, held_out),
        test=test,
        peak=peak,
        mean=mean,
        std=std,
    )


def canonical(split: Split) -> Split:
    """The samples in an order that their contents alone decide.

    By the BLAKE2 hash of image and label, which no source's own order enters.
    """
    keys = [
        hashlib.blake2b(np.ascontiguousarray(x).tobytes() + bytes([y]), digest_size=8)
        for x, y in zip(split.x, split.y, strict=True)
    ]
    order = np.argsort([int.from_bytes(k.digest(), "big") for k in keys], kind="stable")
    return Split(split.x[order], split.y[order])


def save_npz(
    name: str,
    folder: str | pathlib.Path,
    *,
    train: int | None = None,
    data_dir: str | None = None,
    source: str = "auto",
) -> pathlib.Path:
    """Writes a data set as one compressed file, for a machine without a network.

    Args:
        name: As for `load`, which reads the file back with `data_dir=folder`.
        folder: Where `<name>.npz` is written.
        train: How many training samples to keep at most. Defaults to all.
        data_dir, source: As for `load`.

    Returns:
        The path of the file.
    """
    one_of("name", name, NAMES[1:])  # the digits travel with scikit-learn
    one_of("source", source, SOURCES)
    parts = _from(source, name, data_dir)
    first = canonical(parts[0])
    if train is not None:
        first = first.take(positive_int("train", train))
    path = pathlib.Path(folder) / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path, x_train=first.x, y_train=first.y, x_test=parts[1].x, y_test=parts[1].y
    )
    return path


def _digits() -> Split:
    raw = require("sklearn.datasets", extra="demo").load_digits()
    return Split(raw.images[..., None].astype("uint8"), raw.target.astype("int32"))


def _from(source: str, name: str, data_dir: str | None) -> tuple[Split, Split]:
    readers: dict[str, Callable[[str, str | None], tuple[Split, Split]]] = {
        "npz": _npz,
        "tfds": _tfds,
        "keras": _keras,
    }
    failed = []
    for each in readers if source == "auto" else (source,):
        try:
            return readers[each](name, data_dir)
        except Exception as error:  # whatever a download raises, the remedy is one
            failed.append(f"{each}: {type(error).__name__}: {_first_line(error)}")
            cause = error
    raise OSError(
        f"Data set '{name}' is not on this machine and could not be downloaded. "
        f'Remedy: where there is a network, run `python -c "import '
        f"tensorflow_datasets as t; t.load('{name}')\"`, copy the folder that holds "
        f"{name}/<version>/dataset_info.json here, and point TFDS_DATA_DIR or "
        f"`data_dir` at it; or place {name}.npz (keras_ssp.datasets.save_npz) in "
        f"`data_dir`. Tried: {'; '.join(failed)}."
    ) from cause


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0][:200]


def _npz(name: str, data_dir: str | None) -> tuple[Split, Split]:
    folder = data_dir or os.environ.get("TFDS_DATA_DIR", ".")
    path = pathlib.Path(folder) / f"{name}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}")
    with np.load(path) as file:
        train, test = (
            _split(file[f"x_{part}"], file[f"y_{part}"]) for part in ("train", "test")
        )
    return train, test


def _tfds(name: str, data_dir: str | None) -> tuple[Split, Split]:
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=data_dir)
    builder.download_and_prepare()
    train, test = (
        _split(
            *tfds.as_numpy(
                builder.as_dataset(split=part, batch_size=-1, as_supervised=True)
            )
        )
        for part in ("train", "test")
    )
    return train, test


def _keras(name: str, data_dir: str | None) -> tuple[Split, Split]:
    import keras

    train, test = getattr(keras.datasets, name).load_data()
    return _split(*train), _split(*test)


def _split(x: np.ndarray, y: np.ndarray) -> Split:
    x = np.asarray(x, "uint8")
    return Split(x if x.ndim == 4 else x[..., None], np.asarray(y, "int32").ravel())


def _between(split: Split, start: int, stop: int | None) -> Split:
    return Split(split.x[start:stop], split.y[start:stop])
