"""Energy at equal accuracy against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_ssp.studies.equal_accuracy import (
    Crossing,
    Saving,
    crossing,
    ratio,
    saving,
)

POINTS = st.lists(
    st.tuples(st.floats(1e-3, 1e9), st.floats(0, 1)), min_size=1, max_size=12
)


def test_crossing_is_linear_in_the_logarithm_of_energy():
    points = [(1e6, 0.9), (1e3, 0.6)]
    for z in (0.25, 0.5, 0.9):
        found = crossing(points, 0.6 + 0.3 * z)
        assert found.energy == pytest.approx(10 ** (3 + 3 * z), rel=1e-9)
        assert found.reached and not found.bound


def test_cheapest_network_bounds_and_nothing_is_extrapolated():
    assert crossing([(5.0, 0.8), (9.0, 0.9)], 0.7) == Crossing(5.0, bound=True)
    assert crossing([(5.0, 0.8), (9.0, 0.9)], 0.91) == Crossing(math.inf)
    assert not crossing([(5.0, 0.8)], 0.81).reached


def test_networks_that_are_dearer_and_worse_do_not_count():
    points = [(1.0, 0.5), (10.0, 0.9), (30.0, 0.7), (100.0, 0.9)]
    assert crossing(points, 0.7) == crossing(points[:2], 0.7)


@given(points=POINTS, low=st.floats(0, 1), high=st.floats(0, 1))
def test_more_accuracy_never_costs_less(points, low, high):
    low, high = sorted((low, high))
    assert crossing(points, low).energy <= crossing(points, high).energy * (1 + 1e-9)


def test_saving_over_seeds():
    series = [[(2.0, 0.9)], [(1.0, 0.8), (4.0, 1.0)], [(1.0, 0.5)]]
    found = saving([10.0, 10.0, 10.0], series, 0.9)
    assert found.factors == pytest.approx((5.0, 5.0))
    assert (found.seeds, found.bounds) == (3, 1)
    assert found.mean == pytest.approx(5.0)
    assert str(found) == ">= 5.00 ± 0.00 (1 of 3 seeds do not reach it)"


def test_ratio_leaves_out_seeds_without_two_crossings():
    line, twice = [(1.0, 0.5), (9.0, 1.0)], [(2.0, 0.5), (18.0, 1.0)]
    low, cheap = [(1.0, 0.5)], [(1.0, 0.9)]
    found = ratio([line, line, low, cheap], [twice, low, line, line], 0.8)
    assert found.factors == pytest.approx((2.0,)) and found.seeds == 4
    assert str(found) == "2.00 (1 of 4 seeds)"  # one seed has no spread


def test_saving_that_no_seed_reaches():
    found = saving([10.0], [[(1.0, 0.5)]], 0.9)
    assert str(found) == "not reached" and math.isnan(found.mean)


def test_mean_is_geometric_and_spread_is_the_sample_deviation():
    found = Saving((2.0, 8.0), 2, 0)
    assert found.mean == pytest.approx(4.0)
    assert found.spread == pytest.approx(np.std([2, 8], ddof=1))


def test_bad_arguments():
    with pytest.raises(ValueError, match="at least one point"):
        crossing([], 0.5)
    with pytest.raises(ValueError, match="energies above 0. Received: energy=0.0"):
        crossing([(0.0, 0.5)], 0.5)
    with pytest.raises(ValueError, match=r"len\(baseline\)=1, len\(series\)=2"):
        saving([1.0], [[], []], 0.5)
    with pytest.raises(ValueError, match=r"len\(reference\)=1, len\(series\)=2"):
        ratio([[]], [[], []], 0.5)
