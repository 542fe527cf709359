"""Bars and points of a network's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_ssp.figures.base import COLOURS, DARK, INK, MARKERS, new_figure, save
from keras_ssp.types import Axes, Figure, StrPath


def layer_shares(
    shares: Mapping[str, Mapping[str, float]],
    path: StrPath | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draws, layer by layer, the share of each penalty against that of the energy.

    Args:
        shares: `"energy"` and names of penalties to layer name to share.
        path: Image file to write. Defaults to none.
        title: Above the picture.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (bars, scatter) = new_figure(2, width=11, height=4.4)
    layers = list(shares["energy"])
    width = 0.8 / len(shares)
    for k, (name, found) in enumerate(shares.items()):
        values = [100 * found[layer] for layer in layers]
        colour = INK if name == "energy" else COLOURS[(k - 1) % len(COLOURS)]
        places = [i + (k - (len(shares) - 1) / 2) * width for i in range(len(layers))]
        bars.bar(places, values, width, color=colour, label=name)
        if name != "energy":
            scatter.plot(
                [100 * shares["energy"][layer] for layer in layers],
                values,
                MARKERS[(k - 1) % len(MARKERS)],
                color=colour,
                # The first two coincide: both must be seen.
                markerfacecolor="none" if k == 2 else colour,
                markersize=10 if k == 2 else 6,
                label=name,
            )
    bars.set_xticks(range(len(layers)), layers, rotation=45 if len(layers) > 8 else 0)
    bars.set(ylabel="share of the total (%)")
    bars.legend(frameon=False, fontsize=8)
    largest = 100 * max(max(found.values()) for found in shares.values())
    scatter.plot([0, largest], [0, largest], color="0.7", linewidth=1, zorder=0)
    scatter.set(xlabel="share of the energy (%)", ylabel="share of the penalty (%)")
    scatter.legend(frameon=False, fontsize=8)
    bars.set_title(title, fontsize=10, loc="left")
    return save(figure, path)


def layer_bars(
    layers: Sequence[str],
    values: Mapping[str, Sequence[float]],
    path: StrPath | None = None,
    *,
    axes: Axes | None = None,
    labels: Mapping[str, Sequence[str]],
    log: bool = False,
    most: float | None = None,
    title: str = "",
    xlabel: str = "",
) -> Figure:
    """Draws horizontal bars, one a layer and series.

    Args:
        layers: Names of the layers, from top to bottom.
        values: Name of a series to each layer's value.
        path: Image file to write. Defaults to none.
        axes: What to draw into. Defaults to those of a new figure.
        labels: Name of a series to what its bars say.
        log: Whether the axis is logarithmic. Defaults to `False`.
        most: The largest value that can be, at which the axis ends: 100 of a share.
            Defaults to none.
        title: Above the picture.
        xlabel: What the values are.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    if axes is None:
        figure, (axes,) = new_figure(width=8, height=1.9 + 0.5 * len(layers))
    else:
        figure = axes.figure
    height = 0.8 / len(values)
    longest = max([0.0, *(v for found in values.values() for v in found if v == v)])
    for k, (name, found) in enumerate(values.items()):
        offset = (k - (len(values) - 1) / 2) * height
        places = [i + offset for i in range(len(layers))]
        colour = COLOURS[k % len(COLOURS)]
        axes.barh(places, found, height=height, color=colour, label=name)
        for value, place, label in zip(found, places, labels[name], strict=True):
            inside = colour if value > 0.6 * longest and not log else None
            _say(axes, value, place, label, inside=inside)
    if len(values) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    if log:
        positive = [v for found in values.values() for v in found if v > 0]
        axes.set_xscale("log")
        # Room on the right for the label after the longest bar.
        least, largest = min(positive, default=1.0), max(positive, default=1.0)
        axes.set_xlim(least / 2, largest * max(4.0, (largest / least) ** 0.35))
    else:
        axes.set_xlim(0, _end_of_axis(longest, most))
    axes.set_yticks(range(len(layers)), layers)
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    axes.set_title(title, fontsize=10, loc="left")
    return save(figure, path)


def _end_of_axis(longest: float, most: float | None) -> float:
    """A little more than the longest bar, and no more than can be."""
    end = 1.05 * longest or 1.0
    return end if most is None else min(end, most)


def _say(
    axes: Axes, value: float, place: float, label: str, *, inside: str | None
) -> None:
    """What a bar says: after its end, or before it, on the colour given."""
    axes.annotate(
        label,
        (value if value == value else 0.0, place),
        xytext=(4 if inside is None else -4, 0),
        textcoords="offset points",
        ha="left" if inside is None else "right",
        va="center",
        fontsize=8,
        color="white" if inside in DARK else INK,
    )
