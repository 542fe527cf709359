"""Events counted in frames: what a network with `EventFrames` is fed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_ssp._checks import one_of, positive_int, real, shown
from keras_ssp.types import Array, Sizes

BINS = ("time", "count")
OUTSIDE = ("error", "drop")


@dataclasses.dataclass(frozen=True, eq=False)
class Events:
    """The events of one recording, a column each.

    Args:
        x, y: Column and row of the pixel, whole numbers from 0, `(n,)`.
        t: When, in any unit, `(n,)`; the events need not be in order.
        polarity: Whether it became brighter: 0 and 1, -1 and 1, or booleans, `(n,)`.
            Defaults to `None`: not known.

    Raises:
        ValueError: If a column is no such array, or the lengths differ.

    Example:

    >>> len(Events(x=[0, 3], y=[1, 1], t=[10, 20], polarity=[0, 1]))
    2
    """

    x: Array
    y: Array
    t: Array
    polarity: Array | None = None

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        object.__setattr__(self, "t", _times(self.t))
        if self.polarity is not None:
            object.__setattr__(self, "polarity", _polarity(self.polarity))
        columns = {"x": self.x, "y": self.y, "t": self.t, "polarity": self.polarity}
        lengths = {k: len(v) for k, v in columns.items() if v is not None}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                "`x`, `y`, `t` and `polarity` must have one length. Received: "
                f"{', '.join(f'len({k})={n}' for k, n in lengths.items())}."
            )

    def __len__(self) -> int:
        return len(self.t)


def to_frames(
    x: Any,
    y: Any = None,
    t: Any = None,
    polarity: Any = None,
    *,
    shape: Sizes,
    time_steps: int,
    bins: str = "time",
    polarities: int = 2,
    start: float | None = None,
    duration: float | None = None,
    outside: str = "error",
    downsample: int = 1,
) -> Array:
    """Counts events in `time_steps` frames.

        frame[k, row, column, polarity] = number of its events in bin k

    With `bins="time"` the bins are equally long, `k = floor(T * (t - start) /
    duration)`; with `bins="count"` they hold equally many events, in the order of their
    times, `k = floor(T * rank / n)`. No event is lost or counted twice.

    Args:
        x, y, t, polarity: The columns of one recording as for `Events`, or lists of
            columns of many. Or, as `x` alone, an `Events` or a list of them.
        shape: `(height, width)` of the sensor.
        time_steps: T, the number of frames.
        bins: `"time"` or `"count"`. Defaults to `"time"`.
        polarities: 2 for a channel each, darker and brighter; 1 for their sum. Defaults
            to 2, and to 1 where the polarity is not known.
        start, duration: The time that the frames cover, in the unit of `t`; for
            `bins="time"` only. Default to that of each recording, from its first event
            to its last.
        outside: What is done with events outside of that time: `"error"`, the default,
            or `"drop"`.
        downsample: Pixels in a square of this side become one. Defaults to 1.

    Returns:
        Counts, `(T, height, width, channels)`, or `(n, T, height, width, channels)` of
        many recordings: `uint8` where they fit, else `int32`.

    Raises:
        ValueError: If an event lies outside of `shape`, or of the time that was given,
            or an argument is none of these.

    Example:

    >>> frames = to_frames(
    ...     x=[0, 1, 1], y=[0, 0, 2], t=[0, 40, 99], polarity=[1, 1, 0],
    ...     shape=(3, 2), time_steps=2)
    >>> frames.shape, int(frames[0].sum()), int(frames[1, 2, 1, 0])
    ((2, 3, 2, 2), 2, 1)
    """
    plan = _Plan(
        shape, time_steps, bins, polarities, start, duration, outside, downsample
    )
    recordings, many = _recordings(x, y, t, polarity)
    if not recordings:
        raise ValueError("`x` must hold at least one recording. Received: none.")
    counted = [plan.count(each) for each in recordings]
    frames = np.stack(counted) if many else counted[0]
    return frames.astype("uint8" if frames.max(initial=0) <= 255 else "int32")


@dataclasses.dataclass(frozen=True)
class _Plan:
    """How events become frames; the arguments of `to_frames`."""

    shape: Sizes
    time_steps: int
    bins: str
    polarities: int
    start: float | None
    duration: float | None
    outside: str
    downsample: int

    def __post_init__(self) -> None:
        sizes = self.shape
        if not isinstance(sizes, (tuple, list)) or len(sizes) != 2:
            raise ValueError(
                f"`shape` must be (height, width). Received: shape={shown(sizes)}."
            )
        for size in sizes:
            positive_int("shape", size)
        positive_int("time_steps", self.time_steps)
        positive_int("downsample", self.downsample)
        one_of("bins", self.bins, BINS)
        one_of("outside", self.outside, OUTSIDE)
        if self.polarities not in (1, 2) or isinstance(self.polarities, bool):
            raise ValueError(
                f"`polarities` must be 1 or 2. Received: {shown(self.polarities)}."
            )
        if self.start is not None:
            real("start", self.start)
        if self.duration is not None:
            real("duration", self.duration, above=0.0)
        if self.bins == "count" and not self.start is self.duration is None:
            raise ValueError(
                "`start` and `duration` must be left out with bins='count'. Received: "
                f"start={self.start}, duration={self.duration}."
            )

    def count(self, events: Events) -> Array:
        """The frames of one recording, int64."""
        height, width = self.shape
        for name, values, size in (("x", events.x, width), ("y", events.y, height)):
            if len(values) and not 0 <= values.min() <= values.max() < size:
                raise ValueError(
                    f"`{name}` must be whole numbers below {size}, as shape="
                    f"{tuple(self.shape)} says. Received: values from {values.min()} "
                    f"to {values.max()}."
                )
        step, kept = self._steps(events.t)
        rows = -(-height // self.downsample)
        columns = -(-width // self.downsample)
        channels = 1 if events.polarity is None else self.polarities
        place = (step * rows + events.y[kept] // self.downsample) * columns
        place = (place + events.x[kept] // self.downsample) * channels
        if channels == 2 and events.polarity is not None:
            place = place + events.polarity[kept]
        sizes = (self.time_steps, rows, columns, channels)
        return np.bincount(place, minlength=int(np.prod(sizes))).reshape(sizes)

    def _steps(self, t: Array) -> tuple[Array, Array]:
        """The bin of each event that is kept, and which these are."""
        everything = np.ones(len(t), bool)
        steps = self.time_steps
        if not len(t):
            return np.zeros(0, "int64"), everything
        if self.bins == "count":
            rank = np.empty(len(t), "int64")
            rank[np.argsort(t, kind="stable")] = np.arange(len(t))
            return rank * steps // len(t), everything
        start = t.min() if self.start is None else self.start
        since = t - start
        if self.duration is not None:
            step = np.floor(since * steps / self.duration).astype("int64")
        elif t.dtype.kind == "i":  # the last tick is a part of the recording
            step = since * steps // max(1, since.max() + 1)
        else:
            step = np.floor(since * (steps / (since.max() or 1.0))).astype("int64")
            step[since == since.max()] = steps - 1 if since.max() > 0 else 0
        inside = (step >= 0) & (step < steps)
        if self.outside == "error" and not inside.all():
            raise ValueError(
                f"`t` must lie in the time that is given, start={start} and duration="
                f"{self.duration}, or `outside` be 'drop'. Received: "
                f"{int((~inside).sum())} of {len(t)} events outside, times from "
                f"{t.min()} to {t.max()}."
            )
        return step[inside], inside


def _recordings(x: Any, y: Any, t: Any, polarity: Any) -> tuple[list[Events], bool]:
    """The recordings, and whether they were given as many."""
    if isinstance(x, Events):
        _no_columns(y, t, polarity)
        return [x], False
    if isinstance(x, (list, tuple)) and all(isinstance(each, Events) for each in x):
        if x or (y is None and t is None):
            _no_columns(y, t, polarity)
            return list(x), True
    if y is None or t is None:
        raise ValueError(
            "`y` and `t` must be given with `x`, unless it is an Events or a list of "
            f"them. Received: x of type {type(x).__name__}."
        )
    if isinstance(x, (list, tuple)) and x and np.ndim(x[0]) == 1:
        columns = [x, y, t] if polarity is None else [x, y, t, polarity]
        lengths = {len(column) for column in columns}
        if len(lengths) > 1:
            raise ValueError(
                "`x`, `y`, `t` and `polarity` must be of equally many recordings. "
                f"Received: {', '.join(map(str, map(len, columns)))}."
            )
        return [Events(*each) for each in zip(*columns, strict=True)], True
    return [Events(x, y, t, polarity)], False


def _no_columns(*columns: Any) -> None:
    if any(column is not None for column in columns):
        raise ValueError("`y`, `t` and `polarity` must be left out with Events.")


def _column(name: str, values: Any) -> Array:
    found = np.asarray(values)
    if found.ndim != 1 or (found.dtype.kind not in "biuf" and found.size):
        raise ValueError(
            f"`{name}` must be a column of numbers, (n,). Received: shape="
            f"{found.shape}, dtype={found.dtype}."
        )
    return found if found.size else found.astype("int64")


def _whole(name: str, values: Any) -> Array:
    found = _column(name, values)
    if found.dtype.kind == "f" and not np.all(found == np.floor(found)):
        raise ValueError(f"`{name}` must be whole numbers. Received: {shown(found)}.")
    return found.astype("int64")


def _times(values: Any) -> Array:
    found = _column("t", values)
    if not np.all(np.isfinite(found)):
        raise ValueError("`t` must be finite. Received: NaN or infinity.")
    return found.astype("float64" if found.dtype.kind == "f" else "int64")


def _polarity(values: Any) -> Array:
    found = _whole("polarity", values)
    kinds = set(np.unique(found).tolist())
    if not (kinds <= {0, 1} or kinds <= {-1, 1}):
        raise ValueError(
            "`polarity` must be 0 and 1, -1 and 1, or booleans. Received: "
            f"{sorted(kinds)[:5]}."
        )
    return np.asarray(found > 0, "int64")
