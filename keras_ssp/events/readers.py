"""Reading the files that event cameras and their data sets come in."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_ssp._checks import path as checked_path
from keras_ssp._extras import require
from keras_ssp.events.frames import Events
from keras_ssp.types import Array, StrPath

_NAMES = {
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "t": ("t", "ts", "time", "timestamp", "timestamps"),
    "polarity": ("p", "ps", "pol", "polarity", "polarities", "on"),
}
_PROPHESEE = {"% evt 2.0": "evt2", "% evt 3.0": "evt3"}


def read(path: StrPath) -> Events:
    """Reads the recording of an event camera.

    | file | what it is | needs |
    |---|---|---|
    | `.bin` | N-MNIST, N-Caltech101: five bytes an event | |
    | `.npz`, `.npy` | arrays `x`, `y`, `t`, `p`, or a structured array of these | |
    | `.h5`, `.hdf5` | the same, at the top or in one group such as `events` | |
    | `.aedat4` | AEDAT 4 (iniVation) | the extra `events` |
    | `.dat`, `.raw` | Prophesee DAT, EVT2, EVT3 | the extra `events` |

    Args:
        path: The file.

    Returns:
        An `Events`; times are as they are in the file, mostly microseconds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another kind, damaged, or lacks a column.
        ImportError: If the extra is missing.

    Example:

    >>> np.savez("recording.npz", x=[0, 1], y=[2, 2], t=[5, 9], p=[1, 0])
    >>> read("recording.npz").t
    array([5, 9])
    """
    file = pathlib.Path(checked_path("path", path))
    if not file.is_file():
        raise FileNotFoundError(
            f"`path` must be a recording. Received: path={str(path)!r}, which does not "
            "exist."
        )
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise ValueError(
            f"`path` must end in one of {', '.join(_READERS)}. Received: "
            f"path={str(path)!r}. Remedy: read it with a library that knows it, and "
            "give the columns to `Events` or `to_frames`."
        )
    try:
        return reader(file)
    except (ImportError, FileNotFoundError):
        raise
    except Exception as error:  # of zip, HDF5 or another library, as the damage is
        raise ValueError(
            f"{file} is no recording, or damaged ({type(error).__name__}: {error})."
        ) from error


def _nmnist(file: pathlib.Path) -> Events:
    """40 bits an event: x, y, one bit of polarity, 23 of time (Orchard et al. 2015)."""
    raw = np.frombuffer(file.read_bytes(), "uint8")
    if len(raw) % 5:
        raise ValueError(f"an event is five bytes, and there are {len(raw)}")
    x, y, high, middle, low = raw.reshape(-1, 5).T.astype("int64")
    t = (high & 0x7F) << 16 | middle << 8 | low
    return Events(x, y, t, high >> 7)


def _numpy(file: pathlib.Path) -> Events:
    with file.open("rb") as raw:
        loaded = np.load(raw, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return _columns({"": loaded})
        with loaded:
            return _columns({name: loaded[name] for name in loaded.files})


def _hdf5(file: pathlib.Path) -> Events:
    import h5py  # Keras needs it

    with h5py.File(file) as opened:
        items = dict(opened.items())
        groups = [v for v in items.values() if isinstance(v, h5py.Group)]
        if not any(isinstance(v, h5py.Dataset) for v in items.values()) and groups:
            items = dict((items.get("events") or groups[0]).items())
        arrays = {k: v[()] for k, v in items.items() if isinstance(v, h5py.Dataset)}
    return _columns(arrays)


def _aedat4(file: pathlib.Path) -> Events:
    decoder = require("aedat", extra="events").Decoder(str(file))
    packets = [packet["events"] for packet in decoder if "events" in packet]
    if not packets:
        raise ValueError("it holds no polarity events")
    return _columns({"": np.concatenate(packets)})


def _prophesee(file: pathlib.Path) -> Events:
    wizard = require("expelliarmus", extra="events").Wizard
    encoding = "dat"
    if file.suffix.lower() == ".raw":
        with file.open("rb") as opened:
            head = opened.read(4096).decode("latin-1")
        encoding = next((v for k, v in _PROPHESEE.items() if k in head), "")
        if not encoding:
            raise ValueError("its header names neither evt 2.0 nor evt 3.0")
    return _columns({"": wizard(encoding=encoding).read(file)})


def _columns(arrays: Mapping[str, Array]) -> Events:
    """Events of named arrays, or of one structured array."""
    for each in arrays.values():
        if each.dtype.names:
            arrays = {name: each[name] for name in each.dtype.names}
            break
    found: dict[str, Any] = {}
    lower = {name.lower(): value for name, value in arrays.items()}
    for column, names in _NAMES.items():
        found[column] = next((lower[name] for name in names if name in lower), None)
    missing = [c for c in ("x", "y", "t") if found[c] is None]
    if missing:
        raise ValueError(
            f"it must hold x, y and t; there is no {' and no '.join(missing)}, but "
            f"{', '.join(map(repr, arrays)) or 'nothing'}"
        )
    return Events(**found)


_READERS: dict[str, Callable[[pathlib.Path], Events]] = {
    ".bin": _nmnist,
    ".npz": _numpy,
    ".npy": _numpy,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".aedat4": _aedat4,
    ".dat": _prophesee,
    ".raw": _prophesee,
}
