"""The frontier against its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_ssp.pareto import envelope

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
