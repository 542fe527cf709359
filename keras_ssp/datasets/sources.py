"""Where published data sets are read from: three sources, one format."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import numpy as np

from keras_ssp._extras import require
from keras_ssp.datasets.images import Split
from keras_ssp.types import Array

SOURCES = ("auto", "tfds", "keras", "npz")


def read_digits() -> Split:
    """The 1797 digits that come with scikit-learn."""
    raw = require("sklearn.datasets", extra="demo").load_digits()
    return Split(raw.images[..., None].astype("uint8"), raw.target.astype("int32"))


def read(source: str, name: str, data_dir: str | None) -> tuple[Split, Split]:
    """The training and the test part of a published data set.

    Args:
        source: One of `SOURCES`.
        name: The data set, as all sources call it.
        data_dir: As for `keras_ssp.datasets.load`.

    Raises:
        OSError: If no source has it.
    """
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
            if each == "npz" and isinstance(error, ValueError):
                raise  # the file that is meant is there
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


def folder_of(data_dir: str | None) -> pathlib.Path:
    """Where tensorflow-datasets keeps its data.

    Raises:
        FileNotFoundError: If `data_dir` is no folder.
    """
    if data_dir is not None and not pathlib.Path(data_dir).is_dir():
        raise FileNotFoundError(
            f"`data_dir` must be a folder. Received: data_dir={data_dir!r}, which "
            "does not exist."
        )
    given = data_dir or os.environ.get("TFDS_DATA_DIR")
    return pathlib.Path(given or pathlib.Path.home() / "tensorflow_datasets")


def is_local(name: str, data_dir: str | None) -> bool:
    """Whether a source has a published data set on this machine, as far as files tell.

    Raises:
        FileNotFoundError: If `data_dir` is no folder.
    """
    folder = folder_of(data_dir)
    home = os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras")
    cache = pathlib.Path(home) / "datasets"
    return (
        _npz_path(name, data_dir).is_file()
        or any(folder.glob(f"{name}/*/dataset_info.json"))
        or any(folder.glob(f"{name}/*/*/dataset_info.json"))
        or any(cache.glob(_KERAS_FILES[name]))
    )


# What `keras.datasets` leaves in its cache.
_KERAS_FILES = {
    "mnist": "mnist.npz",
    "fashion_mnist": "fashion-mnist/*",
    "cifar10": "cifar-10-batches-py*",
    "cifar100": "cifar-100-python*",
}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0][:200]


def _npz_path(name: str, data_dir: str | None) -> pathlib.Path:
    folder = data_dir or os.environ.get("TFDS_DATA_DIR", ".")
    return pathlib.Path(folder) / f"{name}.npz"


def _npz(name: str, data_dir: str | None) -> tuple[Split, Split]:
    path = _npz_path(name, data_dir)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}")
    try:
        with np.load(path, allow_pickle=False) as file:
            train, test = (
                _split(file[f"x_{part}"], file[f"y_{part}"])
                for part in ("train", "test")
            )
        if train.x.shape[1:] != test.x.shape[1:]:
            raise ValueError(
                "images of both parts must be of one size. Received: "
                f"{train.x.shape[1:]} and {test.x.shape[1:]}."
            )
    except Exception as error:  # of zip, zlib, NumPy or the checks above
        raise ValueError(
            f"{path} is no data set, or damaged: {error} Remedy: write it with "
            "`keras_ssp.datasets.save_npz`."
        ) from error
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


def _split(x: Array, y: Array) -> Split:
    """Images and labels as this package keeps them; nothing is cast in silence.

    Raises:
        ValueError: If the images are not whole numbers from 0 to 255, of shape
            `(n, height, width[, channels])`, or the labels not one whole number of at
            least 0 for each.
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim not in (3, 4) or not len(x):
        raise ValueError(
            "images must be of shape (n, height, width) or (n, height, width, "
            f"channels). Received: shape={x.shape}."
        )
    if not _whole(x, 255):
        raise ValueError(
            "images must be whole numbers from 0 to 255. Received: "
            f"{_values(x)}. Remedy: scale and round them before saving."
        )
    y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
    if y.shape != (len(x),) or not _whole(y, 2**31 - 1):
        raise ValueError(
            f"labels must be one whole number of at least 0 for each of the {len(x)} "
            f"images. Received: shape={y.shape}, {_values(y)}."
        )
    x = x.astype("uint8")
    return Split(x if x.ndim == 4 else x[..., None], y.astype("int32"))


def _whole(values: Array, most: int) -> bool:
    if values.dtype.kind not in "iuf":
        return False
    finite = bool(np.all(np.isfinite(values)))
    return finite and bool(
        np.all((values >= 0) & (values <= most) & (values == np.floor(values)))
    )


def _values(values: Array) -> str:
    if values.dtype.kind not in "iuf" or not values.size:
        return f"dtype={values.dtype}"
    return f"dtype={values.dtype}, values from {values.min()} to {values.max()}"
