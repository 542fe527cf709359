"""Pareto frontiers: which networks are worth having, and how good a set of them is.

Points are `(n, m)` numbers: n networks, m objectives that `directions` tell of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from keras_ssp._checks import one_of, real
from keras_ssp.types import Array

#: (energy, accuracy) of one trained network.
Point: TypeAlias = tuple[float, float]

DIRECTIONS = ("min", "max")
# Two accuracies that differ by less are equal: 0.98 - 0.01 is not quite 0.97.
_EQUAL = 1e-9


def envelope(points: Iterable[Point]) -> list[Point]:
    """Returns the points that no other one beats, by rising energy and accuracy.

    A point is beaten by one that needs no more energy and is no less accurate, unless
    the two are equal; of equal points one is kept.

    Args:
        points: (energy, accuracy) pairs; energies above 0, in any unit.

    Returns:
        The frontier, both numbers strictly rising.

    Raises:
        ValueError: If there is no point, or an energy is not above 0.

    Example:

    >>> envelope([(2.0, 0.9), (1.0, 0.8), (3.0, 0.85)])
    [(1.0, 0.8), (2.0, 0.9)]
    """
    ordered = sorted(points, key=lambda point: (point[0], -point[1]))
    if not ordered:
        raise ValueError("`points` must hold at least one point. Received: none.")
    if not ordered[0][0] > 0:
        raise ValueError(
            f"`points` must have energies above 0. Received: energy={ordered[0][0]}."
        )
    front: list[Point] = []
    for energy, accuracy in ordered:
        if not front or accuracy > front[-1][1]:
            front.append((energy, accuracy))
    return front


def non_dominated(points: ArrayLike, directions: Sequence[str] | None = None) -> Array:
    """Which points no other one dominates.

    A point dominates another one if it is at least as good in every objective and
    better in one; of equal points all are kept. A point that is not finite is never
    kept, and dominates nothing: what cannot be right is not on a frontier.

    Args:
        points: `(n, m)` numbers.
        directions: `"min"` or `"max"` for each of the m objectives. Defaults to
            `"min"` for all.

    Returns:
        `(n,)` booleans.

    Raises:
        ValueError: If the shapes do not fit, or a direction is another one.

    Example:

    >>> non_dominated([[1, 0.8], [2, 0.9], [3, 0.85]], ("min", "max"))
    array([ True,  True, False])
    """
    losses = _minimised(points, directions)
    finite = np.asarray(np.isfinite(losses).all(axis=1))
    kept = finite.copy()
    for k in np.flatnonzero(finite):
        better = (losses <= losses[k]).all(axis=1) & (losses < losses[k]).any(axis=1)
        kept[k] = not (better & finite).any()
    return kept


def hypervolume(
    points: ArrayLike,
    reference: ArrayLike,
    directions: Sequence[str] | None = None,
) -> float:
    """How much of the space up to a reference the points dominate, exactly.

        HV = volume of  union_k {z : z is no better than y_k and no worse than r}

    Args:
        points: `(n, m)` numbers with m of 1, 2 or 3. Points that are not finite, or
            no better than the reference in some objective, add nothing.
        reference: `(m,)` finite numbers, the worst values that count.
        directions: As for `non_dominated`.

    Returns:
        The volume, in the product of the objectives' units.

    Raises:
        ValueError: If the shapes do not fit, there are more than three objectives, or
            the reference is not finite.

    Example:

    >>> hypervolume([[1.0, 2.0], [2.0, 1.0]], [3.0, 3.0])
    3.0
    >>> hypervolume([[10.0, 0.9]], [100.0, 0.5], ("min", "max"))
    36.0

    Reference: Zitzler and Thiele, PPSN V (1998).
    """
    losses = _minimised(points, directions)
    limit = _reference(reference, losses.shape[1], directions)
    inside = np.isfinite(losses).all(axis=1) & (losses < limit).all(axis=1)
    return _volume(losses[inside], limit)


def hypervolume_history(
    points: ArrayLike,
    reference: ArrayLike,
    directions: Sequence[str] | None = None,
) -> Array:
    """The hypervolume of the first k points, for k of 1 to n.

    Args:
        points: As for `hypervolume`, in the order in which they were found.
        reference, directions: As for it.

    Returns:
        `(n,)` numbers that never fall.

    Raises:
        ValueError: As for `hypervolume`.

    Example:

    >>> hypervolume_history([[2.0, 2.0], [2.5, 2.5], [1.0, 2.5]], [3.0, 3.0])
    array([1. , 1. , 1.5])
    """
    losses = _minimised(points, directions)
    limit = _reference(reference, losses.shape[1], directions)
    front = np.empty((0, losses.shape[1]))
    found, volume = [], 0.0
    for loss in losses:
        inside = np.isfinite(loss).all() and (loss < limit).all()
        if inside and not (front <= loss).all(axis=1).any():
            front = np.vstack([front[~(loss <= front).all(axis=1)], loss])
            # Never falls, by its definition: not by a last digit either.
            volume = max(volume, _volume(front, limit))
        found.append(volume)
    return np.asarray(found)


def knee(points: Sequence[Point]) -> int:
    """The network after which more energy buys little: the bend of the frontier.

    Of the frontier, with energy and accuracy each brought to [0, 1],

        k = argmax (a_k - a_0) / (a_1 - a_0) - log(e_k / e_0) / log(e_1 / e_0)

    with its ends (e_0, a_0) and (e_1, a_1): the point farthest above the line between
    them. Energies count by their logarithm: each halving is worth the same.

    Args:
        points: (energy, accuracy) pairs; those that are not finite do not count, nor
            those of no energy: a network that does nothing is no compromise.

    Returns:
        The index of the point; of equals, the cheapest one.

    Raises:
        ValueError: If no pair counts.

    Example:

    >>> knee([(1.0, 0.5), (2.0, 0.9), (64.0, 0.95)])
    1
    """
    front = sorted(_front(points, least=0.0), key=points.__getitem__)
    cheapest, best = points[front[0]], points[front[-1]]
    decades = math.log(best[0] / cheapest[0]) or 1.0
    gain = (best[1] - cheapest[1]) or 1.0

    def height(k: int) -> float:
        energy, accuracy = points[k]
        risen = (accuracy - cheapest[1]) / gain
        # Rounded: of points on one line, the cheapest one.
        return round(risen - math.log(energy / cheapest[0]) / decades, 9)

    return max(front, key=height)


def cheapest_within(points: Sequence[Point], drop: float) -> int:
    """The cheapest network that is at most `drop` less accurate than the best one.

    Args:
        points: (energy, accuracy) pairs; those that are not finite do not count.
        drop: Accuracy that may be given up, at least 0, in the accuracies' unit: 0.01
            is one point, where accuracies are shares.

    Returns:
        The index of the point.

    Raises:
        ValueError: If no pair is finite, or `drop` is below 0.

    Example:

    >>> cheapest_within([(1.0, 0.5), (2.0, 0.9), (64.0, 0.905)], 0.01)
    1
    """
    drop = real("drop", drop, low=0.0)
    front = _front(points)
    best = max(points[k][1] for k in front)
    enough = [k for k in front if points[k][1] >= best - drop - _EQUAL]
    return min(enough, key=lambda k: points[k])


def most_accurate_within(points: Sequence[Point], energy: float) -> int:
    """The most accurate network that spends no more than an energy.

    Args:
        points: (energy, accuracy) pairs; those that are not finite do not count.
        energy: The most that it may spend, in the unit of the points.

    Returns:
        The index of the point; of equals, the cheapest one.

    Raises:
        ValueError: If no pair is finite, or even the cheapest one spends more.

    Example:

    >>> most_accurate_within([(1.0, 0.5), (2.0, 0.9), (64.0, 0.95)], 50.0)
    1
    """
    front = _front(points)
    within = [k for k in front if points[k][0] <= energy]
    if not within:
        raise ValueError(
            "`energy` must be at least that of the cheapest network, "
            f"{min(points[k][0] for k in front):g}. Received: energy={energy!r}."
        )
    return max(within, key=lambda k: (points[k][1], -points[k][0]))


def _minimised(points: ArrayLike, directions: Sequence[str] | None) -> Array:
    """The points as `(n, m)` numbers to be minimised: what is maximised, negated."""
    found = np.asarray(points, "float64")
    if found.size == 0 and found.ndim < 2:
        found = found.reshape(0, len(directions or (1,)))
    if found.ndim != 2:
        raise ValueError(
            f"`points` must be two-dimensional. Received: shape {found.shape}."
        )
    return found * _signs(directions, found.shape[1])


def _signs(directions: Sequence[str] | None, count: int) -> Array:
    if directions is None:
        return np.ones(count)
    if len(directions) != count:
        raise ValueError(
            f"`directions` must have one entry for each of the {count} objectives. "
            f"Received: directions={tuple(directions)!r}."
        )
    each = [one_of("directions", direction, DIRECTIONS) for direction in directions]
    return np.asarray([1.0 if direction == "min" else -1.0 for direction in each])


def _reference(
    reference: ArrayLike, count: int, directions: Sequence[str] | None
) -> Array:
    limit = np.asarray(reference, "float64")
    if limit.shape != (count,) or not np.isfinite(limit).all():
        raise ValueError(
            f"`reference` must be {count} finite numbers. Received: {reference!r}."
        )
    if not 1 <= count <= 3:
        raise ValueError(
            f"`points` must have 1, 2 or 3 objectives here. Received: {count}."
        )
    return limit * _signs(directions, count)


def _volume(losses: Array, limit: Array) -> float:
    """Hypervolume of points that are all better than the limit; by slices."""
    if not len(losses):
        return 0.0
    if len(limit) == 1:
        return float(limit[0] - losses.min())
    order = np.argsort(losses[:, -1], kind="stable")
    losses = losses[order]
    # From one point's last objective to the next one's, the slice is the union of what
    # the points so far dominate in the other objectives.
    depths = np.diff([*losses[:, -1], limit[-1]])
    if len(limit) == 2:
        widths = limit[0] - np.minimum.accumulate(losses[:, 0])
        return float(np.sum(widths * depths))
    return float(
        sum(
            depth * _volume(losses[: k + 1, :-1], limit[:-1])
            for k, depth in enumerate(depths)
            if depth > 0
        )
    )


def _front(points: Sequence[Point], least: float = -math.inf) -> list[int]:
    """Indices of the frontier of the pairs with energies above `least`."""
    values = np.asarray([*points], "float64").reshape(-1, 2)
    values[values[:, 0] <= least] = math.nan
    front = np.flatnonzero(non_dominated(values, ("min", "max")))
    if not len(front):
        raise ValueError(
            "`points` must hold at least one finite (energy, accuracy) pair. "
            f"Received: {list(points)!r}."
        )
    return [int(k) for k in front]
