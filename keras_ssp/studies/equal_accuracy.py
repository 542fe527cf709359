"""Energy at equal accuracy: what a penalty saves when nothing else is given up."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from keras_ssp.pareto import Point as Point
from keras_ssp.pareto import envelope


@dataclasses.dataclass(frozen=True)
class Crossing:
    """The least energy at which a series of networks reaches an accuracy.

    Args:
        energy: The energy, `inf` if the accuracy is never reached.
        bound: Whether even the cheapest network reaches the accuracy, so that the
            true crossing lies at or below `energy`.
    """

    energy: float
    bound: bool = False

    @property
    def reached(self) -> bool:
        """Whether any network of the series reaches the accuracy."""
        return math.isfinite(self.energy)


def crossing(points: Iterable[Point], accuracy: float) -> Crossing:
    """Finds the least energy at which `accuracy` is reached.

    The series is read as the curve `A(e) = max {a_i : e_i <= e}` made piecewise
    linear in `log e`: a network that costs more than a better one does not
    count. Nothing is extrapolated beyond the cheapest network.

    Args:
        points: (energy, accuracy) pairs, energies above 0.
        accuracy: The accuracy to reach.

    Returns:
        A `Crossing`.

    Raises:
        ValueError: If there is no point, or an energy is not above 0.

    Example:

    >>> round(crossing([(1.0, 0.8), (100.0, 0.9)], 0.85).energy, 6)
    10.0
    >>> crossing([(1.0, 0.8)], 0.7)
    Crossing(energy=1.0, bound=True)
    """
    front = envelope(points)
    if front[0][1] >= accuracy:
        return Crossing(front[0][0], bound=True)
    for (e0, a0), (e1, a1) in zip(front, front[1:], strict=False):
        if a1 >= accuracy:
            z = (accuracy - a0) / (a1 - a0)
            return Crossing(math.exp((1 - z) * math.log(e0) + z * math.log(e1)))
    return Crossing(math.inf)


@dataclasses.dataclass(frozen=True)
class Factors:
    """Quotients of two energies at one accuracy, one for each seed that has one.

    Args:
        factors: The quotients.
        seeds: Seeds asked.
    """

    factors: tuple[float, ...]
    seeds: int

    @property
    def mean(self) -> float:
        """Geometric mean of the factors, NaN if there is none."""
        if not self.factors:
            return math.nan
        return float(np.exp(np.mean(np.log(self.factors))))

    @property
    def spread(self) -> float:
        """Sample standard deviation of the factors, 0 for one seed."""
        return float(np.std(self.factors, ddof=1)) if len(self.factors) > 1 else 0.0

    def __str__(self) -> str:
        # One seed has no spread; "± 0.00" would claim that it had.
        spread = f" ± {self.spread:.2f}" if len(self.factors) > 1 else ""
        return f"{self.mean:.2f}{spread}"


@dataclasses.dataclass(frozen=True)
class Saving(Factors):
    """How many times less energy a series needs than a baseline, over seeds.

    Args:
        factors: Baseline's energy over the series' energy, for each seed in which
            the accuracy is reached.
        seeds: Seeds asked.
        bounds: Seeds in which the factor is a lower bound: the series' cheapest
            network is still accurate enough.
    """

    bounds: int

    def __str__(self) -> str:
        if not self.factors:
            return "not reached"
        sign = ">= " if self.bounds else ""
        missing = self.seeds - len(self.factors)
        note = f" ({missing} of {self.seeds} seeds do not reach it)" if missing else ""
        return f"{sign}{super().__str__()}{note}"


@dataclasses.dataclass(frozen=True)
class Ratio(Factors):
    """How many times the energy of a reference a series needs, over seeds.

    Args:
        factors: Series' energy over the reference's energy, for each seed in which
            both cross the accuracy.
        seeds: Seeds asked.
    """

    def __str__(self) -> str:
        if not self.factors:
            return "not both reached"
        found = len(self.factors)
        note = f" ({found} of {self.seeds} seeds)" if found < self.seeds else ""
        return f"{super().__str__()}{note}"


def saving(
    baseline: Sequence[float], series: Sequence[Sequence[Point]], accuracy: float
) -> Saving:
    """Compares a series of networks with a baseline, seed by seed.

    Args:
        baseline: Energy of the baseline for each seed.
        series: For each seed the (energy, accuracy) pairs of the series.
        accuracy: The accuracy to reach.

    Returns:
        A `Saving`.

    Raises:
        ValueError: If the two differ in the number of seeds.

    Example:

    >>> str(saving([10.0, 10.0], [[(5.0, 0.9)], [(2.0, 0.7), (4.0, 0.9)]], 0.9))
    '>= 2.24 ± 0.35'
    """
    if len(baseline) != len(series):
        raise ValueError(
            "`baseline` and `series` must have one entry per seed. Received: "
            f"len(baseline)={len(baseline)}, len(series)={len(series)}."
        )
    found = [crossing(points, accuracy) for points in series]
    reached = [(e, c) for e, c in zip(baseline, found, strict=True) if c.reached]
    return Saving(
        tuple(e / c.energy for e, c in reached),
        len(series),
        sum(c.bound for _, c in reached),
    )


def ratio(
    reference: Sequence[Sequence[Point]],
    series: Sequence[Sequence[Point]],
    accuracy: float,
) -> Ratio:
    """Compares two series of networks, seed by seed.

    A seed in which one of the two does not reach the accuracy, or still reaches it
    with its cheapest network, has no ratio.

    Args:
        reference: For each seed the (energy, accuracy) pairs of the reference.
        series: The same of the series.
        accuracy: The accuracy to reach.

    Returns:
        A `Ratio`.

    Raises:
        ValueError: If the two differ in the number of seeds.

    Example:

    >>> cheap, dear = [(1.0, 0.8), (4.0, 1.0)], [(2.0, 0.8), (8.0, 1.0)]
    >>> str(ratio([cheap, cheap], [dear, dear], 0.9))
    '2.00 ± 0.00'
    """
    if len(reference) != len(series):
        raise ValueError(
            "`reference` and `series` must have one entry per seed. Received: "
            f"len(reference)={len(reference)}, len(series)={len(series)}."
        )
    pairs = [
        (crossing(a, accuracy), crossing(b, accuracy))
        for a, b in zip(reference, series, strict=True)
    ]
    return Ratio(
        tuple(
            b.energy / a.energy
            for a, b in pairs
            if a.reached and b.reached and not (a.bound or b.bound)
        ),
        len(pairs),
    )
