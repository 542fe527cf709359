"""The expected hypervolume improvement, exactly, by boxes; objectives are minimised."""

from __future__ import annotations

import math

import numpy as np

from keras_ssp.types import Array

_TINY = 1e-12


def boxes(front: Array, reference: Array) -> tuple[Array, Array]:
    """What of the space up to the reference no point dominates, as disjoint boxes.

    Args:
        front: `(n, m)` losses, m of 1, 2 or 3; dominated points change nothing.
        reference: `(m,)`, the worst losses that count.

    Returns:
        Lower corners, `(k, m)` with minus infinity where a box has no end, and upper
        corners, `(k, m)`.

    Example:

    >>> low, high = boxes(np.asarray([[1.0, 2.0]]), np.asarray([3.0, 3.0]))
    >>> low.tolist(), high.tolist()
    ([[-inf, -inf], [-inf, 2.0]], [[3.0, 2.0], [1.0, 3.0]])
    """
    inside = front[(front < reference).all(axis=1)]
    if len(reference) == 1:
        high = np.append(inside[:, 0], reference).min()
        return np.full((1, 1), -np.inf), np.full((1, 1), high)
    order = np.argsort(inside[:, -1], kind="stable")
    inside = inside[order]
    # Between two values of the last objective, it is decided by the points up to the
    # first one what is dominated in the other objectives.
    edges = [-np.inf, *inside[:, -1], reference[-1]]
    lows, highs = [], []
    for k, (a, b) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        if a < b:
            low, high = boxes(inside[:k, :-1], reference[:-1])
            lows.append(np.column_stack([low, np.full(len(low), a)]))
            highs.append(np.column_stack([high, np.full(len(high), b)]))
    return np.vstack(lows), np.vstack(highs)


def expected_improvement(
    mean: Array, deviation: Array, front: Array, reference: Array
) -> Array:
    """By how much a measurement is expected to raise the hypervolume.

    With Y_j normal and independent, and the boxes [l, u] that no point dominates,

        EHVI = sum_boxes prod_j ( Psi_j(u_j) - Psi_j(l_j) )
        Psi_j(z) = integral of P(Y_j <= z) up to z
                 = sigma_j (t Phi(t) + phi(t)),   t = (z - mu_j) / sigma_j

    Args:
        mean: `(k, m)` expected losses of k candidates, m of 1, 2 or 3.
        deviation: `(k, m)` standard deviations, at least 0.
        front: `(n, m)` losses that were reached already.
        reference: `(m,)`, the worst losses that count.

    Returns:
        `(k,)` volumes, at least 0.

    Example:

    >>> no_doubt = np.zeros((1, 2))
    >>> front, reference = np.asarray([[1.0, 2.0]]), np.asarray([3.0, 3.0])
    >>> expected_improvement(np.ones((1, 2)), no_doubt, front, reference).round(6)
    array([2.])

    Reference: Emmerich, Deutz and Klinkenberg, CEC (2011); Yang, Emmerich, Deutz and
    Bäck, J. Global Optimization 75 (2019).
    """
    low, high = boxes(front, reference)
    volume = np.ones((len(mean), len(low)))
    for j in range(len(reference)):
        # Many boxes share an edge: each is integrated once.
        edges, where = np.unique(np.append(low[:, j], high[:, j]), return_inverse=True)
        below = _below(edges, mean[:, j : j + 1], deviation[:, j : j + 1])
        volume *= below[:, where[len(low) :]] - below[:, where[: len(low)]]
    return np.maximum(volume.sum(axis=1), 0.0)


def _below(edges: Array, mean: Array, deviation: Array) -> Array:
    """Psi at each edge: the integral of the distribution function up to it."""
    sigma = np.maximum(deviation, _TINY)
    t = (edges - mean) / sigma
    t = np.maximum(t, -38.0)  # beyond, both are 0; and an end at minus infinity
    normal = np.exp(-0.5 * t**2) / math.sqrt(2.0 * math.pi)
    tail = -t.ravel() / math.sqrt(2.0)
    phi = 0.5 * np.fromiter(map(math.erfc, tail), float, t.size).reshape(t.shape)
    return np.maximum(sigma * (t * phi + normal), 0.0)
