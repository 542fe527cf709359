"""What each series of a study reaches, and at which energy, over its seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from keras_ssp._checks import real
from keras_ssp.studies.equal_accuracy import Point, Ratio, Saving, ratio, saving
from keras_ssp.studies.grid import CONVERTED, Row, is_baseline
from keras_ssp.studies.over_seeds import OverSeeds

ENERGY = "synaptic_energy_pj"


class Cell(OverSeeds):
    """One setting of a series, over its seeds."""

    def __init__(self, label: str, rows: Sequence[Row]) -> None:
        self.label = label
        self._rows = rows

    @property
    def rows(self) -> Sequence[Row]:
        """The rows of the study."""
        return self._rows


def cells(rows: Sequence[Row]) -> dict[str, list[Cell]]:
    """Series to its settings, in the order of the rows."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        found.setdefault(row["series"], {}).setdefault(_label(row), []).append(row)
    return {
        series: [Cell(label, group) for label, group in settings.items()]
        for series, settings in found.items()
    }


def _label(row: Row) -> str:
    if row["series"] == CONVERTED:
        return f"T={row['time_steps']}"
    if row["penalty"] == "none":
        return "lambda=0"
    if row["target"] != "":
        return f"target={float(row['target']):.3g}"
    return f"lambda={row['weight']:g}"


@dataclasses.dataclass(frozen=True)
class _Curve:
    """The networks of one series, seed by seed, and what they are measured against."""

    series: str
    first: Row
    baseline: dict[int, float]
    points: dict[int, list[Point]]
    accuracy: float


def savings(
    rows: Sequence[Row], drop: float, energy: str = ENERGY
) -> dict[str, Saving]:
    """Each series' saving at the accuracy of no penalty less `drop`.

    Args:
        rows: The rows of a study.
        drop: Accuracy given up, as a share: 0.01 is one point.
        energy: Which energy to compare.

    Returns:
        Series to `Saving`, the ones without penalty left out. A series contains the
        network without penalty of its seed: with lambda = 0 it is a point of it. The
        converted networks have no such point.

    Raises:
        ValueError: If `drop` is not in [0, 1), or there is no row without penalty.
    """
    return {
        curve.series: saving(
            list(curve.baseline.values()), list(curve.points.values()), curve.accuracy
        )
        for curve in _curves(rows, drop, energy)
    }


def ratios(rows: Sequence[Row], drop: float, energy: str = ENERGY) -> dict[str, Ratio]:
    """How many times the synaptic penalty's energy each other series needs.

    At the accuracy of no penalty less `drop`, seed by seed: what a seed's network
    without penalty does by luck is in both curves and cancels. Compared are series
    of one surrogate gradient.

    Args:
        rows: As for `savings`.
        drop: As for `savings`.
        energy: As for `savings`.

    Returns:
        Series to `Ratio`; empty without a synaptic penalty of p = 1.

    Raises:
        ValueError: As for `savings`.
    """
    curves = list(_curves(rows, drop, energy))
    references = {
        curve.first["surrogate"]: curve
        for curve in curves
        if curve.first["penalty"] == "synaptic" and curve.first["p"] == 1.0
    }
    found = {}
    for curve in curves:
        reference = references.get(curve.first["surrogate"])
        if reference is None or reference is curve:
            continue
        seeds = [seed for seed in curve.points if seed in reference.points]
        found[curve.series] = ratio(
            [reference.points[seed] for seed in seeds],
            [curve.points[seed] for seed in seeds],
            curve.accuracy,
        )
    return found


def _curves(rows: Sequence[Row], drop: float, energy: str) -> Iterator[_Curve]:
    real("drop", drop, low=0.0, high=0.99)
    base: dict[str, dict[int, Row]] = {}
    for row in rows:
        if is_baseline(row):
            base.setdefault(row["surrogate"], {})[row["seed"]] = row
    if not base:
        raise ValueError(
            "`rows` must have networks without penalty. Received: "
            f"{len(rows)} rows without one."
        )
    for series, settings in cells(rows).items():
        members = [row for cell in settings for row in cell.rows]
        own = base.get(members[0]["surrogate"], {})
        if members[0] in own.values():
            continue
        points: dict[int, list[Point]] = {}
        for seed, without in own.items():
            found = [
                (row[energy], row["test_accuracy"])
                for row in members
                if row["seed"] == seed
            ]
            if found and series != CONVERTED:
                found.append((without[energy], without["test_accuracy"]))
            if found:
                points[seed] = found
        yield _Curve(
            series=series,
            first=members[0],
            baseline={seed: own[seed][energy] for seed in points},
            points=points,
            accuracy=float(np.mean([r["test_accuracy"] for r in own.values()])) - drop,
        )
