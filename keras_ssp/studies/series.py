"""What each series of a study reaches, and at which energy, over its seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from keras_ssp._checks import real
from keras_ssp.studies.equal_accuracy import Point, Ratio, Saving, ratio, saving
from keras_ssp.studies.results import CONVERTED, Result

ENERGY = "synaptic_energy_pj"


class SeedStatistics:
    """Mean and spread over the seeds; a subclass says which `values` there are."""

    def values(self, name: str) -> list[float]:
        """The numbers of that name, one per seed."""
        raise NotImplementedError

    def mean(self, name: str) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.values(name)))

    def std(self, name: str) -> float:
        """Sample standard deviation over the seeds, 0 for one."""
        values = self.values(name)
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    def point(self, energy: str = ENERGY) -> dict[str, float]:
        """The setting as `figures.accuracy_against_energy` draws it."""
        return {
            "energy_pj": self.mean(energy),
            "energy_pj_std": self.std(energy),
            "accuracy": self.mean("test_accuracy"),
            "accuracy_std": self.std("test_accuracy"),
        }


@dataclasses.dataclass(frozen=True)
class Setting(SeedStatistics):
    """One setting of a series, over its seeds.

    Args:
        label: What it differs in from the other settings of its series.
        results: Its results, one per seed.
    """

    label: str
    results: tuple[Result, ...]

    def values(self, name: str) -> list[float]:
        return [float(getattr(result, name)) for result in self.results]


def settings_by_series(results: Sequence[Result]) -> dict[str, list[Setting]]:
    """Series to its settings, in the order of the results."""
    found: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        settings = found.setdefault(result.series, {})
        settings.setdefault(_label(result), []).append(result)
    return {
        series: [Setting(label, tuple(group)) for label, group in settings.items()]
        for series, settings in found.items()
    }


def _label(result: Result) -> str:
    if result.series == CONVERTED:
        return f"T={result.time_steps}"
    if result.penalty == "none":
        return "lambda=0"
    if result.target is not None:
        return f"target={result.target:.3g}"
    return f"lambda={result.weight:g}"


@dataclasses.dataclass(frozen=True)
class _Curve:
    """The networks of one series, seed by seed, and what they are measured against."""

    series: str
    first: Result
    baseline: dict[int, float]
    points: dict[int, list[Point]]
    accuracy: float


def savings(
    results: Sequence[Result], drop: float, energy: str = ENERGY
) -> dict[str, Saving]:
    """Each series' saving at the accuracy of no penalty less `drop`.

    Args:
        results: The results of a study.
        drop: Accuracy given up, as a share: 0.01 is one point.
        energy: Which energy to compare.

    Returns:
        Series to `Saving`, the ones without penalty left out. A series contains the
        network without penalty of its seed: with lambda = 0 it is a point of it. The
        converted networks have no such point.

    Raises:
        ValueError: If `drop` is not in [0, 1), or there is no network without penalty.
    """
    return {
        curve.series: saving(
            list(curve.baseline.values()), list(curve.points.values()), curve.accuracy
        )
        for curve in _curves(results, drop, energy)
    }


def ratios(
    results: Sequence[Result], drop: float, energy: str = ENERGY
) -> dict[str, Ratio]:
    """How many times the synaptic penalty's energy each other series needs.

    At the accuracy of no penalty less `drop`, seed by seed: what a seed's network
    without penalty does by luck is in both curves and cancels. Compared are series
    of one surrogate gradient.

    Args:
        results: As for `savings`.
        drop: As for `savings`.
        energy: As for `savings`.

    Returns:
        Series to `Ratio`; empty without a synaptic penalty of p = 1.

    Raises:
        ValueError: As for `savings`.
    """
    curves = list(_curves(results, drop, energy))
    references = {
        curve.first.surrogate: curve
        for curve in curves
        if curve.first.penalty == "synaptic" and curve.first.p == 1.0
    }
    found = {}
    for curve in curves:
        reference = references.get(curve.first.surrogate)
        if reference is None or reference is curve:
            continue
        seeds = [seed for seed in curve.points if seed in reference.points]
        found[curve.series] = ratio(
            [reference.points[seed] for seed in seeds],
            [curve.points[seed] for seed in seeds],
            curve.accuracy,
        )
    return found


def _curves(results: Sequence[Result], drop: float, energy: str) -> Iterator[_Curve]:
    real("drop", drop, low=0.0, high=0.99)
    base: dict[str, dict[int, Result]] = {}
    for result in results:
        if result.is_baseline:
            base.setdefault(result.surrogate, {})[result.seed] = result
    if not base:
        raise ValueError(
            "`rows` must have networks without penalty. Received: "
            f"{len(results)} rows without one."
        )
    for series, settings in settings_by_series(results).items():
        members = [result for setting in settings for result in setting.results]
        own = base.get(members[0].surrogate, {})
        if members[0] in own.values():
            continue
        points: dict[int, list[Point]] = {}
        for seed, without in own.items():
            found = [_point(r, energy) for r in members if r.seed == seed]
            if found and series != CONVERTED:
                found.append(_point(without, energy))
            if found:
                points[seed] = found
        yield _Curve(
            series=series,
            first=members[0],
            baseline={seed: _point(own[seed], energy)[0] for seed in points},
            points=points,
            accuracy=float(np.mean([r.test_accuracy for r in own.values()])) - drop,
        )


def _point(result: Result, energy: str) -> Point:
    return float(getattr(result, energy)), result.test_accuracy
