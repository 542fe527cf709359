"""Pictures of training runs and of comparisons; needs the `plots` extra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_ssp._extras import require
from keras_ssp.tables import format_energy
from keras_ssp.types import Axes, Figure, StrPath, Table

# Okabe & Ito's palette, which colour-blind readers can tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_INK = "#333333"
_MARGIN = 0.12  # of an energy axis, as a share of what the points span


def new_figure(
    columns: int = 1, *, width: float = 6.4, height: float = 4.2
) -> tuple[Figure, list[Axes]]:
    """A figure with `columns` axes side by side; returns it and the list of axes.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    figure = require("matplotlib.figure", extra="plots").Figure(
        figsize=(width, height), layout="constrained"
    )
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def save(figure: Figure, path: StrPath | None) -> Figure:
    """Writes a figure, if there is a path, and returns it."""
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def history(
    values: Mapping[str, Sequence[float]],
    path: StrPath | None = None,
) -> Figure:
    """Draws accuracy and energy over the epochs.

    Args:
        values: Metric name to one value per epoch, as `fit` returns them.
        path: Image file to write. Defaults to none.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (left, right) = new_figure(2, width=9, height=3.6)
    epochs = range(1, len(values["loss"]) + 1)
    # A line needs two points to be seen.
    style = {"marker": "o" if len(epochs) < 3 else None, "linewidth": 1.8}
    for name, label, colour in (
        ("accuracy", "training", COLOURS[5]),
        ("val_accuracy", "validation", COLOURS[0]),
    ):
        accuracy = [100 * v for v in values.get(name, ())]
        if accuracy:
            left.plot(epochs, accuracy, color=colour, label=label, **style)
    left.set(xlabel="epoch", ylabel="accuracy (%)")
    left.legend(frameon=False, loc="lower right")
    energy = [v / 1e3 for v in values.get("val_energy_pj", ())]
    right.plot(epochs[: len(energy)], energy, color=COLOURS[1], **style)
    right.set(xlabel="epoch", ylabel="energy per image (nJ)")
    right.set_ylim(bottom=0)
    for axis in (left, right):
        axis.xaxis.get_major_locator().set_params(integer=True)
    return save(figure, path)


def accuracy_against_energy(
    series: Mapping[str, Sequence[Table]],
    path: StrPath | None = None,
    *,
    title: str = "",
    xlabel: str = "synaptic energy per image",
    log: bool = True,
) -> Figure:
    """Draws accuracy against energy: one line per series, bars for the seeds' spread.

    Args:
        series: Name to points; a point has `energy_pj`, `accuracy` (a share), and
            may have their standard deviations `energy_pj_std`, `accuracy_std`, and
            a `label`.
        path: Image file to write. Defaults to none.
        title: Above the picture.
        xlabel: What the energy is of.
        log: Whether the energy axis is logarithmic.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (axis,) = new_figure(width=7.2, height=4.6)
    for k, (name, points) in enumerate(series.items()):
        points = sorted(points, key=lambda p: p["energy_pj"])
        axis.errorbar(
            [p["energy_pj"] / 1e3 for p in points],
            [100 * p["accuracy"] for p in points],
            xerr=[p.get("energy_pj_std", 0.0) / 1e3 for p in points],
            yerr=[100 * p.get("accuracy_std", 0.0) for p in points],
            color=COLOURS[k % len(COLOURS)],
            marker=MARKERS[k % len(MARKERS)],
            markersize=6,
            linewidth=1.4,
            elinewidth=0.9,
            capsize=2,
            label=name,
        )
        for p in points:
            if p.get("label"):
                axis.annotate(
                    p["label"],
                    (p["energy_pj"] / 1e3, 100 * p["accuracy"]),
                    xytext=(6, -12),
                    textcoords="offset points",
                    fontsize=8,
                    color=_INK,
                    # Legible where it falls on a line.
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                )
    axis.margins(x=_MARGIN)
    energies = [p["energy_pj"] / 1e3 for points in series.values() for p in points]
    positive = [energy for energy in energies if energy > 0]
    if log and positive:
        _log_energies(axis, min(positive), max(positive))
    axis.xaxis.set_major_formatter(lambda nj, _: format_energy(nj * 1e3))
    axis.set(xlabel=xlabel, ylabel="test accuracy (%)")
    axis.set_title(title, fontsize=10, loc="left")
    axis.grid(alpha=0.25, linewidth=0.6)
    if len(series) > 1:
        axis.legend(frameon=False, fontsize=9)
    return save(figure, path)


def _log_energies(axis: Axes, least: float, most: float) -> None:
    """A logarithmic axis as wide as the points, not as their error bars.

    The mean less the standard deviation may be near 0, or below it, many decades to
    the left of the points.
    """
    ticker = require("matplotlib.ticker", extra="plots")
    axis.set_xscale("log")
    room = max(1.2, (most / least) ** _MARGIN)
    axis.set_xlim(least / room, most * room)
    subs = (1, 2, 5) if most / least < 300 else (1,)  # more labels would not fit
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=subs))
    axis.xaxis.set_minor_formatter(ticker.NullFormatter())


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
        colour = _INK if name == "energy" else COLOURS[(k - 1) % len(COLOURS)]
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
                color=_INK,
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
