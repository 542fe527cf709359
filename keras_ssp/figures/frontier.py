"""The frontier of a search."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from keras_ssp.figures.base import COLOURS, INK, MARGIN, log_energies, new_figure, save
from keras_ssp.pareto import non_dominated
from keras_ssp.tables import format_energy
from keras_ssp.types import Axes, Figure, StrPath, Table

_DOMINATED = "0.62"


def frontier(
    points: Sequence[Table],
    path: StrPath | None = None,
    *,
    directions: tuple[str, str] = ("min", "max"),
    worst: float | None = None,
    failed: int = 0,
    title: str = "",
    xlabel: str = "synaptic energy per sample",
    ylabel: str = "accuracy (%)",
    format_cost: Callable[[float], str] = format_energy,
    log: bool = True,
) -> Figure:
    """Draws what a search found: the frontier, and the trials that it leaves behind.

    On a logarithmic axis a trial that costs nothing, such as a network that does not
    spike, has no place: it is drawn at the left edge. Trials far worse than all others,
    such as networks that guess, would leave no room for these: what is worse than
    `worst` is drawn at the lower edge. The picture says how many there are.

    Args:
        points: The trials. A point has `cost` and `quality`, and may have their
            standard deviations over the seeds `cost_std` and `quality_std`, whether
            it is on the `front`, whether it is the `knee`, and a `label`.
        path: Image file to write, `.png` or `.svg`. Defaults to none.
        directions: `"min"` or `"max"` for cost and quality. Of the front, the points
            that no other one dominates in these two are joined by a line.
        worst: The least quality that is drawn where it is. Defaults to `None`: all are.
        failed: Trials that failed, and so have no point.
        title: Above the picture.
        xlabel: What `cost` is.
        ylabel: What `quality` is.
        format_cost: How a cost is written.
        log: Whether the axis of the costs is logarithmic.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: If matplotlib is not installed.

    Example:

    >>> figure = frontier([
    ...     {"cost": 2e3, "quality": 90.0, "front": True, "knee": True},
    ...     {"cost": 3e3, "quality": 85.0},
    ... ])
    >>> figure.axes[0].get_xscale()
    'log'
    """
    figure, (axis,) = new_figure(width=7.2, height=4.6)
    costs = [p["cost"] for p in points if p["cost"] > 0]
    log = log and bool(costs)
    edge = min(costs) / _room(costs) if log else -math.inf
    floor = _floor(points, worst, directions[1])
    low = [p for p in points if p["quality"] < floor]
    free = [p for p in points if p["cost"] < edge]
    placed = [_moved(p, edge, floor) for p in points]
    on_front = [p for p in placed if p.get("front")]
    _line(axis, [p for p in on_front if p["quality"] > floor], directions)
    _dots(axis, [p for p in placed if not p.get("front")], _DOMINATED, "dominated", 4.5)
    _dots(axis, on_front, COLOURS[0], "frontier", 6.5)
    for p in placed:
        if p.get("knee"):
            _mark(axis, p, format_cost)
    axis.margins(x=MARGIN)
    if log:
        log_energies(axis, min(costs), max(costs))
        axis.set_xlim(left=edge)
    if low:
        axis.set_ylim(bottom=floor)
    axis.xaxis.set_major_formatter(lambda cost, _: format_cost(cost))
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.set_title(title, fontsize=10, loc="left")
    axis.grid(alpha=0.25, linewidth=0.6)
    remarks = {
        f"at the left edge: {len(free)} of {format_cost(0.0)}": free,
        f"at the lower edge: {len(low)} below {floor:.3g}": low,
        f"failed, not drawn: {failed}": failed,
    }
    _legend(axis, [remark for remark, found in remarks.items() if found])
    return save(figure, path)


def _floor(points: Sequence[Table], worst: float | None, direction: str) -> float:
    """Where the picture ends below: a little under what is not worse than `worst`."""
    shown = [
        p["quality"] for p in points if worst is not None and p["quality"] >= worst
    ]
    if not shown or len(shown) == len(points) or direction == "min":
        return -math.inf
    return float(min(shown) - (0.08 * (max(shown) - min(shown)) or 1.0))


def _moved(point: Table, edge: float, floor: float) -> Table:
    """A point within the picture; at its edges the seeds' spread would mislead."""
    found = {**point}
    for name, least in (("cost", edge), ("quality", floor)):
        if point[name] < least:
            found |= {name: least, "cost_std": 0.0, "quality_std": 0.0}
    return found


def _legend(axis: Axes, remarks: Sequence[str]) -> None:
    for remark in remarks:
        axis.plot([], [], " ", label=remark)  # a line without a sign
    handles, labels = axis.get_legend_handles_labels()
    order = ["frontier", "dominated"]
    rank = [order.index(label) if label in order else len(order) for label in labels]
    by_rank = sorted(range(len(labels)), key=rank.__getitem__)
    axis.legend(
        [handles[k] for k in by_rank],
        [labels[k] for k in by_rank],
        frameon=False,
        fontsize=9,
        loc="lower right",
    )


def _room(costs: Sequence[float]) -> float:
    """The factor between the cheapest point and the left edge."""
    return max(1.2, (max(costs) / min(costs)) ** MARGIN)


def _line(axis: Axes, points: Sequence[Table], directions: tuple[str, str]) -> None:
    pairs = [(p["cost"], p["quality"]) for p in points]
    kept = non_dominated(pairs, directions)
    joined = sorted(pair for pair, keep in zip(pairs, kept, strict=True) if keep)
    axis.plot(*zip(*joined, strict=True) if joined else ((), ()), color=COLOURS[0])


def _dots(
    axis: Axes, points: Sequence[Table], colour: str, name: str, size: float
) -> None:
    if not points:
        return
    dots = axis.errorbar(
        [p["cost"] for p in points],
        [p["quality"] for p in points],
        xerr=[p.get("cost_std", 0.0) for p in points],
        yerr=[p.get("quality_std", 0.0) for p in points],
        fmt="o",
        color=colour,
        markersize=size,
        elinewidth=0.9,
        label=name,
    )
    dots.lines[0].set_clip_on(False)  # points at the left edge are seen whole
    for p in points:
        if p.get("label"):
            axis.annotate(
                p["label"],
                (p["cost"], p["quality"]),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=INK,
            )


def _mark(axis: Axes, point: Table, format_cost: Callable[[float], str]) -> None:
    """A ring around the knee, named in the legend."""
    axis.plot(
        [point["cost"]],
        [point["quality"]],
        "o",
        markersize=13,
        markerfacecolor="none",
        markeredgecolor=COLOURS[3],
        markeredgewidth=1.8,
        clip_on=False,
        label=f"knee: {format_cost(point['cost'])}",
    )
