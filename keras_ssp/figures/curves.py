"""Lines: metrics over the epochs, accuracy against energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_ssp.figures.base import (
    COLOURS,
    INK,
    MARGIN,
    MARKERS,
    log_energies,
    new_figure,
    save,
    whole_ticks,
)
from keras_ssp.tables import format_energy
from keras_ssp.types import Axes, Figure, StrPath, Table


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
    # A line needs two points to be seen, and these whole, at the edges too.
    few = len(epochs) < 3
    style = {"marker": "o" if few else None, "linewidth": 1.8, "clip_on": not few}
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
        whole_ticks(axis.xaxis)
        if few:
            axis.set_xlim(0, len(epochs) + 1)
    least, most = left.get_ylim()
    left.set_ylim(least, min(most, 100.0))  # a share
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
    axis.margins(x=MARGIN, y=MARGIN)
    energies = [p["energy_pj"] / 1e3 for points in series.values() for p in points]
    positive = [energy for energy in energies if energy > 0]
    if log and positive:
        log_energies(axis, min(positive), max(positive))
    for points in series.values():
        for p in points:
            if p.get("label"):
                _label(axis, p["label"], p["energy_pj"] / 1e3, 100 * p["accuracy"])
    axis.xaxis.set_major_formatter(lambda nj, _: format_energy(nj * 1e3))
    axis.set(xlabel=xlabel, ylabel="test accuracy (%)")
    axis.set_title(title, fontsize=10, loc="left")
    axis.grid(alpha=0.25, linewidth=0.6)
    if len(series) > 1:
        axis.legend(frameon=False, fontsize=9)
    return save(figure, path)


def _label(axis: Axes, label: str, x: float, y: float) -> None:
    """The label of a point, inside the picture and off the lines through it."""
    right, _ = axis.transAxes.inverted().transform(axis.transData.transform((x, y)))
    inward = right > 0.7  # of the width: what is on its right might not fit
    axis.annotate(
        label,
        (x, y),
        # Lines rise from left to right.
        xytext=(-8, 6) if inward else (8, -12),
        ha="right" if inward else "left",
        textcoords="offset points",
        fontsize=8,
        color=INK,
        # Legible where it falls on another line.
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )
