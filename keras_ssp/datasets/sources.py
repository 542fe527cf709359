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


def _split(x: Array, y: Array) -> Split:
    x = np.asarray(x, "uint8")
    return Split(x if x.ndim == 4 else x[..., None], np.asarray(y, "int32").ravel())
