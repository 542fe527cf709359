"""A data set as one file, for a machine without a network."""

from __future__ import annotations

import pathlib

import numpy as np

from keras_ssp._checks import one_of, positive_int
from keras_ssp.datasets import sources
from keras_ssp.datasets.images import ImageData, Split, canonical
from keras_ssp.datasets.registry import DOWNLOADED
from keras_ssp.types import Array, StrPath


def save_npz(
    name: str | ImageData,
    folder: StrPath,
    *,
    train: int | None = None,
    data_dir: str | None = None,
    source: str = "auto",
) -> pathlib.Path:
    """Writes a data set as one compressed file, for a machine without a network.

    Args:
        name: A published data set other than `"digits"`, which `load` reads back with
            `data_dir=folder`; or a data set of one's own, which `from_npz` reads back,
            as does `load` with the path of the file.
        folder: Where `<name>.npz` is written.
        train: How many training samples to keep at most. Defaults to all.
        data_dir, source: As for `load`. Published data sets only.

    Returns:
        The path of the file.
    """
    if isinstance(name, ImageData):
        data = name.limited(positive_int("train", train, optional=True))
        name, arrays = pathlib.Path(data.name).stem, _all_arrays(data)
    else:
        one_of("name", name, DOWNLOADED)  # the digits travel with scikit-learn
        one_of("source", source, sources.SOURCES)
        parts = sources.read(source, name, data_dir)
        first = canonical(parts[0])
        if train is not None:
            first = first.take(positive_int("train", train))
        arrays = _arrays(train=first, test=parts[1])
    path = pathlib.Path(folder) / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return path


def _arrays(**parts: Split) -> dict[str, Array]:
    return {
        f"{axis}_{part}": getattr(split, axis)
        for part, split in parts.items()
        for axis in "xy"
    }


def _all_arrays(data: ImageData) -> dict[str, Array]:
    found = _arrays(train=data.train, validation=data.validation, test=data.test)
    if data.labels is not None:
        found["labels"] = np.asarray(data.labels)
    return found
