"""Data of one's own as arrays, in memory or in an `.npz` file."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_ssp._checks import path as checked_path
from keras_ssp._checks import real, shown, text, texts
from keras_ssp.datasets.images import ImageData, Split, canonical
from keras_ssp.types import Array, StrPath

_RULES = (
    "images of shape (n, height, width) or (n, height, width, channels), or counts of "
    "events of shape (n, T, height, width, channels)"
)
_KEYS = "x_train, y_train, x_test, y_test (and x_validation, y_validation), or x, y"


def from_arrays(
    x: Array,
    y: Array,
    *,
    name: str = "arrays",
    test: tuple[Array, Array] | float = 0.2,
    validation: tuple[Array, Array] | float = 0.1,
    labels: Sequence[str] | None = None,
) -> ImageData:
    """Makes a data set of arrays.

    Whole numbers from 0 to 255 are images of that brightness; other images are taken
    as they are. Mean and standard deviation of each channel, over the training part,
    become the normalisation. Counts of events stay what they are.

    Args:
        x: Samples: images `(n, height, width[, channels])`, or counts of events
            `(n, T, height, width, channels)`.
        y: Their labels, `(n,)`: whole numbers from 0, or strings.
        name: Name of the data set.
        test: The test part, as a tuple `(x, y)`, or the share of the samples that is
            held out for it, in [0.01, 0.5]. Defaults to 0.2.
        validation: The validation part, or the share of the rest. Defaults to 0.1.
        labels: Names of the classes. Defaults to the strings in `y`, if any.

    Returns:
        An `ImageData`. Which sample is held out depends on its contents alone, never on
        the order.

    Raises:
        ValueError: If a shape, a value or a label is none of these, or a part of
            another shape than the others.

    Example:

    >>> x = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3))
    >>> data = from_arrays(x, np.arange(50) % 2, labels=["cat", "dog"])
    >>> len(data.train), len(data.validation), len(data.test), data.peak
    (36, 4, 10, 255.0)
    """
    text("name", name)
    given: dict[str, tuple[Array, Array]] = {"train": (x, y)}
    shares: dict[str, float] = {}
    for part, value in (("test", test), ("validation", validation)):
        if isinstance(value, tuple) and len(value) == 2:
            given[part] = value
        else:
            shares[part] = real(part, value, low=0.01, high=0.5)
    samples = {part: _samples(part, pair[0]) for part, pair in given.items()}
    _check_one_kind(samples)
    found, names = _labels({part: pair[1] for part, pair in given.items()})
    splits = {part: Split(samples[part], found[part]) for part in given}
    splits["train"] = canonical(splits["train"])
    for part, share in shares.items():
        splits |= _held_out(splits["train"], part, share)
    classes = 1 + max(int(each.y.max()) for each in splits.values())
    names = texts("labels", labels) if labels is not None else names
    if names is not None and len(names) < classes:
        raise ValueError(
            f"`labels` must name each of the {classes} classes. Received: "
            f"labels={shown(names)}."
        )
    return ImageData(
        name,
        len(names or ()) or classes,
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        labels=names,
        **_scale(splits),
    )


def from_npz(path: StrPath, *, validation: float = 0.1) -> ImageData:
    """Reads a data set from an `.npz` file, as `numpy.savez` writes it.

    The file holds `x_train`, `y_train`, `x_test`, `y_test` (and, if there is a
    validation part, `x_validation`, `y_validation`), or `x` and `y` alone, of which a
    fifth is then held out for the test. `labels`, the names of the classes, may be
    there too. `from_arrays` says what the arrays may be.

    Args:
        path: The file.
        validation: Share of the training samples that is held out, if the file has no
            validation part, in [0.01, 0.5]. Defaults to 0.1.

    Returns:
        An `ImageData`, its name is `path`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, lacks an array, or `from_arrays` refuses one.

    Example:

    >>> x = np.random.default_rng(0).integers(0, 256, (50, 8, 8))
    >>> np.savez("mine.npz", x=x, y=np.arange(50) % 2)
    >>> from_npz("mine.npz").sample_shape
    (8, 8, 1)
    """
    file = pathlib.Path(checked_path("path", path))
    if not file.is_file():
        raise FileNotFoundError(
            f"`path` must be an .npz file. Received: path={str(path)!r}, which does "
            "not exist."
        )
    arrays = _arrays(file)
    pair = ("x", "y") if "x" in arrays else ("x_train", "y_train")
    missing = [key for key in pair if key not in arrays]
    if missing:
        raise ValueError(
            f"{file} must hold the arrays {_KEYS}. Received: "
            f"{', '.join(arrays) or 'none'}."
        )
    parts: dict[str, Any] = {"validation": validation}
    for part in ("test", "validation"):
        keys = f"x_{part}", f"y_{part}"
        held = [key for key in keys if key in arrays]
        if len(held) == 1:
            raise ValueError(
                f"{file} must hold both of {keys[0]} and {keys[1]}, or neither. "
                f"Received: {held[0]} alone."
            )
        if held:
            parts[part] = (arrays[keys[0]], arrays[keys[1]])
    known = {*pair, "labels", "x_test", "y_test", "x_validation", "y_validation"}
    unread = sorted(set(arrays) - known)
    if unread:
        raise ValueError(
            f"{file} must hold the arrays {_KEYS}, and labels, alone. Received also: "
            f"{', '.join(unread)}."
        )
    labels = arrays.get("labels")
    try:
        return from_arrays(
            *(arrays[key] for key in pair),
            name=str(path),
            labels=None if labels is None else [str(each) for each in labels],
            **parts,
        )
    except ValueError as error:
        raise ValueError(f"{file} is no data set: {error}") from error


def _arrays(file: pathlib.Path) -> dict[str, Array]:
    try:
        with file.open("rb") as raw, np.load(raw, allow_pickle=False) as opened:
            return {key: opened[key] for key in opened.files}
    except Exception as error:  # of zip, zlib or NumPy, depending on the damage
        raise ValueError(
            f"{file} is no .npz file, or damaged ({type(error).__name__}: {error}). "
            "Remedy: write it with numpy.savez, or `keras_ssp.datasets.save_npz`."
        ) from error


def _samples(part: str, x: Array) -> Array:
    """Samples as they are kept: uint8 where that loses nothing, else float32."""
    x = np.asarray(x)
    if x.ndim not in (3, 4, 5) or not x.size or x.dtype.kind not in "biuf":
        raise ValueError(
            f"`x` of the {part} part must be {_RULES}, numbers. Received: "
            f"shape={x.shape}, dtype={x.dtype}."
        )
    if not np.all(np.isfinite(x)):
        raise ValueError(
            f"`x` of the {part} part must be finite. Received: NaN or inf."
        )
    x = x[..., None] if x.ndim == 3 else x
    whole = x.dtype.kind in "biu" or bool(np.all(x == np.floor(x)))
    if x.ndim == 5 and not (whole and x.min() >= 0):
        raise ValueError(
            f"`x` of the {part} part has an axis of time, so it must be counts of "
            f"events: whole numbers of at least 0. Received: values from {x.min()} to "
            f"{x.max()}."
        )
    if whole and 0 <= x.min() and x.max() <= 255:
        return x.astype("uint8")
    return x.astype("float32")


def _check_one_kind(samples: dict[str, Array]) -> None:
    shapes = {part: x.shape[1:] for part, x in samples.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"`x` must be samples of one shape in all parts. Received: {shapes}."
        )
    if len({x.dtype for x in samples.values()}) > 1:
        # One part of them may be all black, or round, by chance.
        for part, x in samples.items():
            samples[part] = x.astype("float32")


def _labels(
    given: dict[str, Array],
) -> tuple[dict[str, Array], tuple[str, ...] | None]:
    arrays = {part: np.asarray(y) for part, y in given.items()}
    if any(y.dtype.kind in "USO" for y in arrays.values()):
        names = sorted({str(label) for y in arrays.values() for label in np.ravel(y)})
        index = {name: k for k, name in enumerate(names)}
        found = {
            part: np.array([index[str(label)] for label in np.ravel(y)], "int32")
            for part, y in arrays.items()
        }
        return found, tuple(names)
    return {part: _whole_labels(part, y) for part, y in arrays.items()}, None


def _whole_labels(part: str, y: Array) -> Array:
    y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
    whole = y.dtype.kind in "biu" or (
        y.dtype.kind == "f" and bool(np.all(np.isfinite(y) & (y == np.floor(y))))
    )
    if y.ndim != 1 or not y.size or not whole or y.min() < 0:
        values = shown(y.flat[0].item()) if y.size else "none"
        raise ValueError(
            f"`y` of the {part} part must be one whole number of at least 0, or one "
            f"string, for each sample. Received: shape={y.shape}, dtype={y.dtype}, "
            f"first value {values}."
        )
    return y.astype("int32")


def _held_out(train: Split, part: str, share: float) -> dict[str, Split]:
    cut = round(share * len(train))
    if not 0 < cut < len(train):
        raise ValueError(
            f"`x` must be enough samples to hold out {share:g} of them as the {part} "
            f"part. Received: {len(train)}."
        )
    return {
        part: Split(train.x[:cut], train.y[:cut]),
        "train": Split(train.x[cut:], train.y[cut:]),
    }


def _scale(splits: dict[str, Split]) -> dict[str, Any]:
    """The normalisation of images; counts of events have none."""
    x = splits["train"].x
    if x.ndim == 5:
        return {}
    peak = 255.0 if x.dtype == np.uint8 and x.max() > 1 else 1.0
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes, dtype="float64") / peak
    std = x.std(axes, dtype="float64") / peak
    return {
        "peak": peak,
        "mean": tuple(float(m) for m in mean),
        "std": tuple(float(s) if s > 0 else 1.0 for s in std),
    }
