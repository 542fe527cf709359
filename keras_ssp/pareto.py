"""Pareto frontiers: which networks are worth having, by their energy and accuracy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

#: (energy, accuracy) of one trained network.
Point: TypeAlias = tuple[float, float]


def envelope(points: Iterable[Point]) -> list[Point]:
    """Returns the points that no other one beats, by rising energy and accuracy.

    A point is beaten by another one that needs no more energy and is no less
    accurate, unless the two are equal; of equal points one is kept.

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
