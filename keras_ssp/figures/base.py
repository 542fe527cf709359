"""What all pictures share: colours, a figure, an axis of energies."""

from __future__ import annotations

from keras_ssp._extras import require
from keras_ssp.types import Axes, Figure, StrPath

# Okabe & Ito's palette, which colour-blind readers can tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000")
DARK = ("#0072b2", "#009e73", "#d55e00", "#000000")  # on which white can be read
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK = "#333333"
MARGIN = 0.12  # of an energy axis, as a share of what the points span


def new_figure(
    columns: int = 1, *, width: float = 6.4, height: float = 4.2
) -> tuple[Figure, list[Axes]]:
    """A figure with `columns` axes side by side; returns it and the list of axes.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    return _figure(1, columns, (width, height))


def new_rows(
    rows: int, *, width: float = 7.5, height: float = 1.8
) -> tuple[Figure, list[Axes]]:
    """A figure with axes one below the other, `height` inches each.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    return _figure(rows, 1, (width, 0.4 + height * rows))


def _figure(
    rows: int, columns: int, size: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    figure = require("matplotlib.figure", extra="plots").Figure(
        figsize=size, layout="constrained"
    )
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def whole_ticks(axis: Axes) -> None:
    """Has an axis of a picture (`axes.xaxis`) count in whole numbers."""
    axis.get_major_locator().set_params(integer=True)


def save(figure: Figure, path: StrPath | None) -> Figure:
    """Writes a figure, if there is a path, and returns it."""
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def log_energies(axis: Axes, least: float, most: float) -> None:
    """A logarithmic axis as wide as the points, not as their error bars.

    The mean less the standard deviation may be near 0, or below it, many decades to
    the left of the points.
    """
    ticker = require("matplotlib.ticker", extra="plots")
    axis.set_xscale("log")
    room = max(1.2, (most / least) ** MARGIN)
    axis.set_xlim(least / room, most * room)
    subs = (1, 2, 5) if most / least < 300 else (1,)  # more labels would not fit
    locator = ticker.LogLocator(subs=subs)
    low, high = axis.get_xlim()
    if sum(low <= tick <= high for tick in locator.tick_values(low, high)) < 2:
        # Points so near each other lie between two of those: round numbers in equal
        # steps then say where they are.
        ticks = ticker.MaxNLocator(4).tick_values(low, high)
        locator = ticker.FixedLocator([tick for tick in ticks if low <= tick <= high])
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_minor_locator(ticker.NullLocator())
