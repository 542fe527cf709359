"""The interactive pictures of a search's page; needs the `pages` extra."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from keras_ssp._extras import require
from keras_ssp.energy import EnergyReport
from keras_ssp.figures import COLOURS
from keras_ssp.pareto import non_dominated
from keras_ssp.tables import format_share
from keras_ssp.tuner.records import TrialRecord
from keras_ssp.tuner.results import SearchResults
from keras_ssp.types import Config
from tuning.metrics import metric, plain, points, with_spread, worst_shown

#: A `plotly.graph_objects.Figure`.
Plot: TypeAlias = Any

GREY, INK, GRID = "#8a8f98", "#1f2933", "#e4e7eb"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def escaped(text: object) -> str:
    """Text as a plot shows it, which takes tags for markup."""
    return html.escape(str(text), quote=False)


def new_plot(traces: Sequence[Config], layout: Config, height: int = 460) -> Plot:
    """A plot of plain traces, in the style of the page.

    Raises:
        ImportError: If plotly is not installed.
    """
    objects = require("plotly.graph_objects", extra="pages")
    style: Config = {
        "template": "none",
        "height": height,
        "margin": {"l": 58, "r": 16, "t": 34, "b": 52},
        "font": {"family": FONT, "size": 13, "color": INK},
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "bgcolor": "white"},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
        "dragmode": False,  # a finger on a plot scrolls the page
    }
    return objects.Figure(data=list(traces), layout={**style, **layout})


def hover(results: SearchResults, trial: TrialRecord) -> str:
    """What a trial's point says: objectives, SynOps, hyperparameters, notes."""
    shown = [objective.name for objective in results.objectives]
    if "val_synops" in trial.metrics and "val_synops" not in shown:
        shown.append("val_synops")
    lines = [f"<b>trial {escaped(trial.trial)}</b>"]
    for name in shown:
        if name in trial.metrics:
            value = with_spread(trial, name)
            lines.append(f"{escaped(metric(name).name)}: {value}")
    lines += [f"{escaped(k)}: {escaped(plain(v))}" for k, v in trial.values.items()]
    return "<br>".join([*lines, *(f"<i>{escaped(n)}</i>" for n in trial.notes)])


def frontier(results: SearchResults) -> Plot:
    """The frontier, dominated trials, the knee, and the seeds' spread."""
    found = points(results)
    cost, quality = metric(results.cost.name), metric(results.quality.name)
    costs = [p["cost"] for p in found if p["cost"] > 0]
    log = results.cost.scale == "log" and bool(costs)
    edge = _edge(costs) if log else -math.inf
    placed = [{**p, "cost": max(p["cost"], edge)} for p in found]
    worst = worst_shown(results)
    joined = [p for p in found if p["front"] and not _outside(p, log, worst)]
    pairs = [(p["cost"], p["quality"]) for p in joined]
    kept = non_dominated(pairs, (results.cost.direction, results.quality.direction))
    line = sorted(pair for pair, keep in zip(pairs, kept, strict=True) if keep)
    traces: list[Config] = [
        {
            "x": [x for x, _ in line],
            "y": [y for _, y in line],
            "mode": "lines",
            "line": {"color": COLOURS[0], "width": 2},
            "hoverinfo": "skip",
            "showlegend": False,
        },
        _dots(results, [p for p in placed if not p["front"]], "dominated", GREY, 8),
        _dots(results, [p for p in placed if p["front"]], "frontier", COLOURS[0], 10),
        *(_ring(p) for p in placed if p["knee"]),
    ]
    layout: Config = {
        "xaxis": _axis(cost.axis, costs, cost.write, edge=edge if log else None),
        "yaxis": {
            "title": {"text": escaped(quality.axis)},
            "gridcolor": GRID,
            "zeroline": False,
            "range": _quality_range(results, [p["quality"] for p in found]),
        },
        "dragmode": "zoom",
    }
    return new_plot(traces, layout)


def _outside(point: Config, log: bool, worst: float | None) -> bool:
    """Whether a point has no place: of no cost, or too bad to be shown."""
    free = log and point["cost"] <= 0
    return free or (worst is not None and point["quality"] < worst)


def _edge(costs: Sequence[float]) -> float:
    """Where what costs nothing is drawn on a logarithmic axis."""
    return min(costs) / max(1.3, (max(costs) / min(costs)) ** 0.08)


def _quality_range(
    results: SearchResults, values: Sequence[float]
) -> list[float] | None:
    """The values that count, with some room; `None` shows everything."""
    worst = worst_shown(results)
    shown = [value for value in values if worst is None or value >= worst]
    if not shown or len(shown) == len(values):
        return None
    room = 0.06 * (max(shown) - min(shown)) or 1.0
    return [min(shown) - room, max(shown) + room]


def _dots(
    results: SearchResults,
    found: Sequence[Config],
    name: str,
    colour: str,
    size: int,
) -> Config:
    bars: Config = {"type": "data", "thickness": 1, "width": 3, "color": colour}
    trace: Config = {
        "x": [p["cost"] for p in found],
        "y": [p["quality"] for p in found],
        "mode": "markers",
        "name": name,
        "marker": {"color": colour, "size": size},
        "text": [hover(results, p["trial"]) for p in found],
        "hovertemplate": "%{text}<extra></extra>",
        "cliponaxis": False,
    }
    for axis, key in (("error_x", "cost_std"), ("error_y", "quality_std")):
        if any(p[key] for p in found):
            trace[axis] = {**bars, "array": [p[key] for p in found]}
    return trace


def _ring(point: Config) -> Config:
    return {
        "x": [point["cost"]],
        "y": [point["quality"]],
        "mode": "markers",
        "name": "knee",
        "marker": {
            "symbol": "circle-open",
            "size": 20,
            "color": COLOURS[3],
            "line": {"width": 2.5},
        },
        "hoverinfo": "skip",
    }


def _axis(
    title: str,
    values: Sequence[float],
    write: Callable[[float], str],
    *,
    edge: float | None,
) -> Config:
    """A horizontal axis; with an `edge`, a logarithmic one that begins there."""
    axis: Config = {"title": {"text": escaped(title)}, "gridcolor": GRID}
    if edge is None:
        return axis
    most = max(values) * max(1.1, min(values) / edge / 1.1)
    ticks = log_ticks(edge, most)
    return axis | {
        "type": "log",
        "range": [math.log10(edge), math.log10(most)],
        "tickvals": ticks,
        "ticktext": [write(tick) for tick in ticks],
        "tickangle": 0,
        "zeroline": False,
    }


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within a range, 1-2-5 a decade or fewer.

    Example:

    >>> log_ticks(1.5, 60.0)
    [2.0, 5.0, 10.0, 20.0, 50.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{s}e{d}") for d in decades for s in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    return ticks


def round_ticks(most: float) -> list[float]:
    """Three to six round numbers from 0 on, up to a largest one.

    Example:

    >>> round_ticks(64.0)
    [0.0, 20.0, 40.0, 60.0]
    """
    size = 10.0 ** math.floor(math.log10(most))
    step = next(size * s for s in (0.2, 0.5, 1, 2, 5) if most / (size * s) < 5)
    return [step * k for k in range(int(most / step) + 1)]


def hypervolume(results: SearchResults) -> Plot:
    """The hypervolume after each completed trial, as steps."""
    history = results.hypervolume_history
    trials = [escaped(trial.trial) for trial in results.completed]
    trace: Config = {
        "x": list(range(1, len(history) + 1)),
        "y": history,
        "mode": "lines+markers",
        "line": {"shape": "hv", "color": COLOURS[2], "width": 2},
        "marker": {"size": 5},
        "text": trials[: len(history)],
        "hovertemplate": "after trial %{text}: %{y:.4g}<extra></extra>",
    }
    whole: Config = {"tickformat": "d", "dtick": max(1, len(history) // 8)}
    whole |= {"tick0": 1, "range": [0.5, len(history) + 0.5]}
    layout: Config = {
        "xaxis": {"title": {"text": "completed trials"}, "gridcolor": GRID, **whole},
        "yaxis": {
            "title": {"text": "hypervolume"},
            "gridcolor": GRID,
            "rangemode": "tozero",
        },
        "showlegend": False,
    }
    return new_plot([trace], layout, height=320)


def layers(report: EnergyReport) -> Plot:
    """Where the energy of one network goes, a bar a layer."""
    rows = [row for row in report.layers if row.energy_pj > 0]
    whole = math.fsum(row.energy_pj for row in rows) or 1.0
    kinds: Mapping[str, str] = {"spiking": COLOURS[0], "analogue": COLOURS[1]}
    energy = metric("val_energy_pj").write
    traces: list[Config] = []
    for kind, colour in kinds.items():
        some = [row for row in rows if row.spiking == (kind == "spiking")]
        if not some:
            continue
        texts = [
            f"{energy(row.energy_pj)} ({format_share(row.energy_pj / whole)})"
            for row in some
        ]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": kind,
                "x": [row.energy_pj for row in some],
                "y": [escaped(row.name) for row in some],
                "text": texts,
                "textposition": "auto",
                "marker": {"color": colour},
                "hovertemplate": "%{y}: %{text}<extra></extra>",
            }
        )
    ticks = round_ticks(max((row.energy_pj for row in rows), default=1.0))
    layout: Config = {
        "xaxis": {
            "title": {"text": "energy per sample"},
            "gridcolor": GRID,
            "tickvals": ticks,
            "ticktext": [energy(tick) for tick in ticks],
            "tickangle": 0,
        },
        "yaxis": {
            "categoryorder": "array",
            "categoryarray": [escaped(row.name) for row in reversed(rows)],
            "automargin": True,
        },
        "barmode": "overlay",
    }
    return new_plot(traces, layout, height=110 + 34 * max(len(rows), 2))
