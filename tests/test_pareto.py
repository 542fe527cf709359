"""Frontiers, hypervolumes and choices against their definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_ssp.pareto import (
    cheapest_within,
    envelope,
    hypervolume,
    hypervolume_history,
    knee,
    most_accurate_within,
    non_dominated,
)

POINTS = st.lists(
    st.tuples(st.floats(1e-3, 1e9), st.floats(0, 1)), min_size=1, max_size=12
)


def test_networks_that_cost_more_and_are_worse_do_not_count():
    points = [(1.0, 0.5), (10.0, 0.9), (30.0, 0.7), (100.0, 0.9)]
    assert envelope(points) == [(1.0, 0.5), (10.0, 0.9)]


@given(points=POINTS)
def test_envelope_is_the_non_dominated_set(points):
    def dominated(p):
        return any(
            q[0] <= p[0] and q[1] >= p[1] and (q[0], q[1]) != (p[0], p[1])
            for q in points
        )

    expected = sorted({p for p in points if not dominated(p)})
    assert envelope(points) == expected


def test_bad_points():
    with pytest.raises(ValueError, match="at least one point"):
        envelope([])
    with pytest.raises(ValueError, match="energies above 0. Received: energy=0.0"):
        envelope([(0.0, 0.5)])


VALUES = st.one_of(
    st.integers(0, 4).map(float),  # ties are the hard part
    st.floats(0, 5),
    st.sampled_from([math.nan, math.inf, -math.inf]),
)


def rows(m):
    return st.lists(st.lists(VALUES, min_size=m, max_size=m), max_size=9)


def finite(row):
    return all(map(math.isfinite, row))


@given(data=st.data(), m=st.integers(1, 3))
def test_non_dominated_is_its_definition(data, m):
    points = data.draw(rows(m))
    directions = data.draw(
        st.lists(st.sampled_from(["min", "max"]), min_size=m, max_size=m)
    )

    def dominates(a, b):
        pairs = [
            (x, y) if d == "min" else (-x, -y)
            for x, y, d in zip(a, b, directions, strict=True)
        ]
        return finite(a) and all(x <= y for x, y in pairs) and a != b

    expected = [finite(p) and not any(dominates(q, p) for q in points) for p in points]
    assert non_dominated(points, directions).tolist() == expected


def test_equal_points_are_both_kept():
    assert non_dominated([[1, 1], [1, 1], [2, 2]]).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("points", "reference", "expected"),
    [
        ([[1.0]], [4.0], 3.0),
        ([[1.0, 2.0], [2.0, 1.0]], [3.0, 3.0], 3.0),
        ([[1.0, 2.0], [1.0, 2.0]], [3.0, 3.0], 2.0),  # duplicates count once
        ([[0.0, 0.0, 0.0]], [1.0, 2.0, 3.0], 6.0),
        # Three boxes of 1x1x3 that share the unit cube.
        ([[0.0, 2.0, 2.0], [2.0, 0.0, 2.0], [2.0, 2.0, 0.0]], [3.0] * 3, 7.0),
        ([[5.0, 0.0]], [3.0, 3.0], 0.0),  # worse than the reference
        ([[math.nan, 0.0], [-math.inf, 0.0]], [3.0, 3.0], 0.0),
        ([], [3.0, 3.0], 0.0),
    ],
)
def test_hypervolume_in_closed_form(points, reference, expected):
    array = np.asarray(points).reshape(-1, len(reference))
    assert hypervolume(array, reference) == pytest.approx(expected, abs=1e-12)


@given(data=st.data(), m=st.integers(1, 3))
def test_hypervolume_counts_the_cells_of_a_grid(data, m):
    """Whole numbers: the dominated unit cells can be counted one by one."""
    cells = st.lists(
        st.lists(st.integers(0, 5), min_size=m, max_size=m), min_size=1, max_size=7
    )
    points = data.draw(cells)
    expected = sum(
        any(all(p <= c for p, c in zip(point, cell, strict=True)) for point in points)
        for cell in itertools.product(range(4), repeat=m)
    )
    assert hypervolume(points, [4.0] * m) == expected
    flipped = [[-p if k == 0 else p for k, p in enumerate(point)] for point in points]
    directions = ["max", *["min"] * (m - 1)]
    reference = [-4.0, *[4.0] * (m - 1)]
    assert hypervolume(flipped, reference, directions) == expected


@given(data=st.data(), m=st.integers(2, 3))
def test_the_history_is_that_of_the_prefixes(data, m):
    points = np.asarray(data.draw(rows(m))).reshape(-1, m)
    history = hypervolume_history(points, [4.0] * m)
    expected = [hypervolume(points[: k + 1], [4.0] * m) for k in range(len(points))]
    assert history.tolist() == pytest.approx(expected, rel=1e-9)
    assert (np.diff(history) >= 0).all()


def test_the_knee_is_farthest_above_the_chord():
    points = [(2.0**k, a) for k, a in enumerate([0.5, 0.6, 0.9, 0.93, 0.95])]
    heights = [(a - 0.5) / 0.45 - math.log(e) / math.log(16) for e, a in points]
    assert knee(points) == heights.index(max(heights)) == 2
    # A network that does nothing, a broken one and a dominated one change nothing.
    assert knee([*points, (0.0, 0.1), (math.nan, 1.0), (5.0, 0.1)]) == 2


def test_without_a_bend_the_knee_is_the_cheapest():
    assert knee([(4.0, 0.9), (1.0, 0.7), (2.0, 0.8)]) == 1
    assert knee([(4.0, 0.9)]) == 0
    assert knee([(4.0, 0.9), (4.0, 0.9)]) == 0


@given(points=POINTS, drop=st.floats(0, 0.5), budget=st.floats(1e-3, 1e9))
def test_choices_by_brute_force(points, drop, budget):
    best = max(a for _, a in points)
    chosen = points[cheapest_within(points, drop)]
    assert chosen[0] == min(e for e, a in points if a >= best - drop - 1e-9)
    within = [a for e, a in points if e <= budget]
    if within:
        chosen = points[most_accurate_within(points, budget)]
        assert chosen[0] <= budget and chosen[1] == max(within)
    else:
        with pytest.raises(ValueError, match="`energy` must be at least"):
            most_accurate_within(points, budget)


def test_a_point_of_accuracy_is_a_point_in_spite_of_rounding():
    assert cheapest_within([(1.0, 0.97), (2.0, 0.98)], 0.01) == 0
    assert cheapest_within([(1.0, 0.9699), (2.0, 0.98)], 0.01) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: non_dominated([1.0, 2.0]), "`points` must be two-dim"),
        (lambda: non_dominated([[1.0, 2.0]], ("min",)), "`directions` must have one"),
        (lambda: non_dominated([[1.0]], ("down",)), "`directions` must be one of"),
        (lambda: hypervolume([[1.0, 2.0]], [1.0]), "`reference` must be 2 finite"),
        (lambda: hypervolume([[1.0]], [math.inf]), "`reference` must be 1 finite"),
        (lambda: hypervolume([[1.0] * 4], [1.0] * 4), "`points` must have 1, 2 or 3"),
        (lambda: knee([]), "`points` must hold at least one finite"),
        (lambda: knee([(0.0, 0.1)]), "`points` must hold at least one finite"),
        (lambda: cheapest_within([(1.0, 0.5)], -1), "`drop` must be"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
