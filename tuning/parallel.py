"""Parallel coordinates: which hyperparameters lead to which energy and accuracy.

Drawn of plain lines: plotly's own need WebGL, which many a machine has not.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, cast

from keras_ssp.tuner.records import TrialRecord
from keras_ssp.tuner.results import SearchResults
from keras_ssp.types import Config
from tuning.metrics import finite, metric, plain, worst_shown
from tuning.plots import GREY, INK, Plot, escaped, hover, new_plot

# Above this ratio of largest to smallest, values go by their logarithm.
_WIDE = 30.0
# From dark to bright, in equal steps of lightness (viridis).
_COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d8c51d")


#: Title, a value a trial, how numbers are written, and where the axis begins.
Column: TypeAlias = tuple[str, Sequence[object], Callable[[float], str], float | None]


@dataclasses.dataclass(frozen=True)
class Scale:
    """One of the upright axes.

    Args:
        title: What it shows.
        places: Value to its height in [0, 1].
        ticks: Height to text.
    """

    title: str
    places: Mapping[object, float]
    ticks: Mapping[float, str]


def scale_of(
    title: str,
    values: Sequence[object],
    write: Callable[[float], str] = plain,
    least: float | None = None,
) -> Scale:
    """An axis for values: numbers by size, or by logarithm; all else in a row.

    Args:
        title: Above the axis.
        values: What has a place on it; `None` has none.
        write: How numbers are written.
        least: Where the axis begins: numbers below are put there. Defaults to the
            smallest one.

    Example:

    >>> scale_of("p", [1, 2, 1]).places
    {1: 0.0, 2: 1.0}
    >>> scale_of("surrogate", ["atan", "triangle"]).ticks
    {0.0: 'atan', 1.0: 'triangle'}
    """
    distinct = [value for value in dict.fromkeys(values) if value is not None]
    if not all(_is_number(value) for value in distinct):
        names = sorted(map(str, distinct))
        at = {name: _share(k, len(names) - 1) for k, name in enumerate(names)}
        ticks = {height: name for name, height in at.items()}
        return Scale(title, {value: at[str(value)] for value in distinct}, ticks)
    numbers = sorted(cast(list[float], distinct))
    if least is not None and numbers[0] < least < numbers[-1]:
        write = _at_most(least, write)
    else:
        least = -math.inf
    sizes = sorted({max(number, least) for number in numbers})
    height = _heights(sizes)
    shown = sizes if len(sizes) <= 5 else [sizes[0], sizes[-1]]
    return Scale(
        title,
        {number: height(max(number, least)) for number in numbers},
        {height(size): write(size) for size in shown},
    )


def _at_most(least: float, write: Callable[[float], str]) -> Callable[[float], str]:
    def text(value: float) -> str:
        return f"≤ {write(value)}" if value == least else write(value)

    return text


def _heights(sizes: Sequence[float]) -> Callable[[float], float]:
    """From the smallest, 0, to the largest, 1; by logarithm where they span decades."""
    low, high = sizes[0], sizes[-1]
    positive = next((size for size in sizes if size > 0), 0.0)
    if not positive or low < 0 or high / positive <= _WIDE:
        return lambda value: _share(value - low, high - low)
    # What is 0 has no logarithm: it is put below the smallest, by a tenth of the axis.
    floor = positive if low > 0 else positive * (positive / high) ** 0.1
    whole = math.log(high / floor)
    return lambda value: math.log(max(value, floor) / floor) / whole


def parallel(results: SearchResults) -> Plot:
    """A line a trial through its hyperparameters and objectives."""
    trials = finite(results)
    front = {trial.trial for trial in results.front}
    trials.sort(key=lambda trial: trial.trial in front)  # the front over the others
    scales = []
    heights: list[list[float | None]] = []
    shades: list[float] = []
    for column in _columns(results, trials):
        scale = scale_of(*column)
        scales.append(scale)
        heights.append([scale.places.get(value) for value in column[1]])
        if column[0] == metric(results.quality.name).name:
            shades = [height or 0.0 for height in heights[-1]]
    lines = [
        _line(hover(results, trial), [h[k] for h in heights], shades[k], on_front)
        for k, trial in enumerate(trials)
        for on_front in [trial.trial in front]
    ]
    layout: Config = {
        "xaxis": {"visible": False, "range": [-0.1, len(scales) - 0.35]},
        "yaxis": {"visible": False, "range": [-0.08, 1.18]},
        "margin": {"l": 12, "r": 12, "t": 8, "b": 8},
        "showlegend": False,
        "shapes": [_upright(k) for k in range(len(scales))],
        "annotations": _annotations(scales),
    }
    return new_plot(lines, layout, height=400)


def _columns(results: SearchResults, trials: Sequence[TrialRecord]) -> list[Column]:
    """Hyperparameters that differ, then the objectives."""
    found: list[Column] = []
    for name in dict.fromkeys(name for trial in trials for name in trial.values):
        values = [trial.values.get(name) for trial in trials]
        if len({*values}) > 1:
            found.append((name, values, plain, None))
    for objective in results.objectives:
        shown = metric(objective.name)
        measured = [trial.metrics.get(objective.name) for trial in trials]
        least = worst_shown(results) if objective is results.quality else None
        least = None if least is None else least / shown.factor
        found.append((shown.name, measured, shown.write, least))
    return found


def _line(
    text: str, heights: Sequence[float | None], shade: float, on_front: bool
) -> Config:
    return {
        "x": list(range(len(heights))),
        "y": heights,
        "mode": "lines+markers",
        "line": {"color": colour(shade), "width": 3 if on_front else 1.2},
        "marker": {"size": 6 if on_front else 4},
        "opacity": 1.0 if on_front else 0.55,
        "text": [text] * len(heights),
        "hovertemplate": "%{text}<extra></extra>",
    }


def _upright(k: int) -> Config:
    ends = {"x0": k, "x1": k, "y0": 0, "y1": 1}
    return {"type": "line", **ends, "line": {"color": GREY, "width": 1}}


def _annotations(scales: Sequence[Scale]) -> list[Config]:
    found: list[Config] = []
    for k, scale in enumerate(scales):
        title: Config = {"x": k, "y": 1.07, "text": f"<b>{escaped(scale.title)}</b>"}
        found.append({**title, "yanchor": "bottom", "xanchor": "left", "xshift": -6})
        for height, text in scale.ticks.items():
            # Beside the axis, at its ends out of the lines' way.
            away = 10 if height == 1.0 else -10 if height == 0.0 else 0
            tick: Config = {"x": k, "y": height, "text": escaped(text)}
            tick |= {"xanchor": "left", "xshift": 5, "yshift": away}
            found.append({**tick, "bgcolor": "rgba(255,255,255,0.75)"})
    look: Config = {"showarrow": False, "font": {"size": 12, "color": INK}}
    return [{**each, **look} for each in found]


def colour(share: float) -> str:
    """A colour between dark, for 0, and bright, for 1.

    Example:

    >>> colour(0.0), colour(1.0)
    ('#440154', '#d8c51d')
    """
    at = min(max(share, 0.0), 1.0) * (len(_COLOURS) - 1)
    k = min(int(at), len(_COLOURS) - 2)
    pairs = [
        (int(_COLOURS[k][c : c + 2], 16), int(_COLOURS[k + 1][c : c + 2], 16))
        for c in (1, 3, 5)
    ]
    return "#" + "".join(f"{round(a + (at - k) * (b - a)):02x}" for a, b in pairs)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.5
