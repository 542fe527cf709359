"""Spikes: rasters, rates of single neurons, potentials, activity over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_ssp._checks import one_of, shown, whole
from keras_ssp._rates import SATURATED, SATURATED_RATE, SILENT
from keras_ssp.figures.base import COLOURS, INK, new_rows, save, whole_ticks
from keras_ssp.types import Array, Figure, StrPath

_DRAWN = 200  # neurons of a layer that a raster has room for
_TRACES = 4  # neurons whose potentials are told apart by eye


def raster(
    recording: Any,
    path: StrPath | None = None,
    *,
    sample: int = 0,
    layers: Sequence[str] | None = None,
) -> Figure:
    """Draws when each neuron fired: a row of dots a neuron, a panel a layer.

    Args:
        recording: What `keras_ssp.record` returned.
        path: Image file to write. Defaults to none.
        sample: Which sample. Defaults to 0.
        layers: Names of layers. Defaults to all.

    Returns:
        A `matplotlib.figure.Figure`. Of layers of more than 200 neurons, 200 are drawn,
        evenly spaced.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If the sample or a layer is not in the recording.
    """
    names = _layers(recording, layers)
    _check_sample(recording, sample)
    figure, axes = new_rows(len(names), width=7.5, height=1.7)
    for name, axis in zip(names, axes, strict=True):
        spikes = recording.spikes[name][sample]
        steps = len(spikes)
        flat = spikes.reshape(steps, -1)
        chosen = _spaced(flat.shape[1], _DRAWN)
        t, row = np.nonzero(flat[:, chosen])
        axis.scatter(t, row, s=_dot(steps, len(chosen)), color=COLOURS[0], marker="|")
        axis.set(xlim=(-0.5, steps - 0.5), ylim=(-1, len(chosen)))
        shown = "" if len(chosen) == flat.shape[1] else f", {len(chosen)} shown"
        rate = 100 * float(np.mean(flat > 0))
        _label(axis, name, f"{flat.shape[1]} neurons{shown}, {rate:.1f} %")
        whole_ticks(axis.xaxis)
        axis.set_ylabel("neuron")
    axes[-1].set_xlabel("time step")
    return save(figure, path)


def spike_rates(
    recording: Any,
    path: StrPath | None = None,
    *,
    layers: Sequence[str] | None = None,
) -> Figure:
    """Draws how many neurons of each layer have which rate.

    Neurons that never fired, and those that fired at nearly every step, are bars of
    their own colour, with their number.

    Args:
        recording, path, layers: As for `raster`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If a layer is not in the recording.
    """
    names = _layers(recording, layers)
    figure, axes = new_rows(len(names), width=7.5, height=1.7)
    found = recording.rates()
    for name, axis in zip(names, axes, strict=True):
        rates = np.minimum(found[name].ravel(), 1.0)
        silent, full = rates == 0, rates >= SATURATED_RATE
        edges = np.linspace(0, 100, 41)
        kinds = (
            ("", rates[~silent & ~full], COLOURS[0]),
            (SILENT, rates[silent], COLOURS[3]),
            (SATURATED, rates[full & ~silent], COLOURS[1]),
        )
        for label, values, colour in kinds:
            said = f"{len(values)} {label}" if label else None
            if len(values) or not label:
                axis.hist(100 * values, bins=edges, color=colour, label=said)
        if axis.get_legend_handles_labels()[1]:
            axis.legend(frameon=False, fontsize=8, loc="upper right")
        axis.set(xlim=(0, 100), ylabel="neurons")
        whole_ticks(axis.yaxis)
        _label(axis, name, f"mean {100 * rates.mean():.1f} %")
    axes[-1].set_xlabel("spikes per step of a neuron (%)")
    return save(figure, path)


def spikes_over_time(
    recording: Any,
    path: StrPath | None = None,
    *,
    layers: Sequence[str] | None = None,
) -> Figure:
    """Draws how much of each layer fires at each step, the mean over samples.

    Args:
        recording, path, layers: As for `raster`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If a layer is not in the recording.
    """
    names = _layers(recording, layers)
    figure, (axis,) = new_rows(1, width=7.5, height=3.8)
    found = recording.over_time()
    for k, name in enumerate(names):
        values = 100 * found[name]
        style = {"color": COLOURS[k % len(COLOURS)], "label": name}
        style["linestyle"] = ("-", "--", ":")[k // len(COLOURS) % 3]
        axis.plot(range(len(values)), values, marker="o", markersize=3, **style)
    axis.set(xlabel="time step", ylabel="neurons that fire (%)")
    axis.set_ylim(bottom=0)
    whole_ticks(axis.xaxis)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    return save(figure, path)


def potentials(
    recording: Any,
    path: StrPath | None = None,
    *,
    sample: int = 0,
    layers: Sequence[str] | None = None,
) -> Figure:
    """Draws the potentials of some neurons of each layer, after the reset.

    A dot marks a spike, the dashed line the threshold. The neurons that fire most are
    drawn.

    Args:
        recording: What `keras_ssp.record(..., potentials=True)` returned.
        path, sample, layers: As for `raster`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If the recording has no potentials, or the sample or a layer is not
            in it.
    """
    if not recording.potentials:
        raise ValueError(
            "`recording` must have potentials: `record(..., potentials=True)`. "
            f"Received: {recording!r}."
        )
    names = _layers(recording, layers, of=tuple(recording.potentials))
    _check_sample(recording, sample)
    figure, axes = new_rows(len(names), width=7.5, height=1.9)
    for name, axis in zip(names, axes, strict=True):
        spikes = recording.spikes[name][sample]
        steps = len(spikes)
        fired, traces = (
            array.reshape(steps, -1)
            for array in (spikes, recording.potentials[name][sample])
        )
        busiest = np.argsort(-fired.sum(0, dtype="float64"), kind="stable")[:_TRACES]
        for k, neuron in enumerate(busiest):
            colour = COLOURS[k]
            axis.plot(range(steps), traces[:, neuron], color=colour, linewidth=1.4)
            at = np.flatnonzero(fired[:, neuron])
            axis.plot(at, traces[at, neuron], "o", color=colour, markersize=4)
        if name in recording.thresholds:
            threshold = recording.thresholds[name]
            axis.axhline(threshold, color=INK, linewidth=1, linestyle="--")
        whole_ticks(axis.xaxis)
        _label(axis, name, f"{len(busiest)} of {fired.shape[1]} neurons")
        axis.set_ylabel("potential")
    axes[-1].set_xlabel("time step")
    return save(figure, path)


def _layers(
    recording: Any, wanted: Sequence[str] | None, of: tuple[str, ...] | None = None
) -> list[str]:
    known = tuple(recording.spikes) if of is None else of
    return [one_of("layers", k, known) for k in (known if wanted is None else wanted)]


def _check_sample(recording: Any, sample: int) -> None:
    if whole("sample", sample) >= recording.samples:
        raise ValueError(
            f"`sample` must be below {recording.samples}, the samples recorded. "
            f"Received: sample={shown(sample)}."
        )


def _spaced(n: int, most: int) -> Array:
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def _dot(steps: int, neurons: int) -> float:
    """Area of a dot, in points: smaller the more of them there are."""
    return float(np.clip(4000 / math.sqrt(steps * neurons) / 10, 2, 60))


def _label(axis: Any, name: str, said: str) -> None:
    axis.set_title(f"{name}: {said}", fontsize=9, loc="left")
