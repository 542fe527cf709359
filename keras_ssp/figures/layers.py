"""Bars and points of a network's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_ssp.figures.base import COLOURS, INK, MARKERS, new_figure, save
from keras_ssp.types import Figure, StrPath


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
    shares: Mapping[str, Sequence[float]],
    path: StrPath | None = None,
    *,
    amounts: Mapping[str, Sequence[str]] | None = None,
    title: str = "",
    xlabel: str = "share of the total (%)",
) -> Figure:
    """Draws horizontal bars, one a layer and series.

    Args:
        layers: Names of the layers, from top to bottom.
        shares: Name of a series to each layer's share.
        path: Image file to write. Defaults to none.
        amounts: Name of a series to what its bars say before the share. Defaults to
            none.
        title: Above the picture.
        xlabel: What the shares are of.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    figure, (axes,) = new_figure(width=8, height=1.9 + 0.5 * len(layers))
    height = 0.8 / len(shares)
    longest = 1.0
    for k, (name, found) in enumerate(shares.items()):
        values = [100 * share for share in found]
        longest = max([longest, *values])
        offset = (k - (len(shares) - 1) / 2) * height
        places = [i + offset for i in range(len(layers))]
        axes.barh(
            places, values, height=height, color=COLOURS[k % len(COLOURS)], label=name
        )
        labels = [f"{value:.1f} %" for value in values]
        if amounts and name in amounts:
            pairs = zip(amounts[name], labels, strict=True)
            labels = [f"{amount} ({label})" for amount, label in pairs]
        for value, place, label in zip(values, places, labels, strict=True):
            axes.annotate(
                label,
                (value, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=INK,
            )
    if len(shares) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    # Room on the right for the label after the longest bar.
    axes.set_xlim(0, 1.3 * longest)
    axes.set_yticks(range(len(layers)), layers)
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    axes.set_title(title, fontsize=10, loc="left")
    return save(figure, path)
