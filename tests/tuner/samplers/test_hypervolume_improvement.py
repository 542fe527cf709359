"""The expected hypervolume improvement against Monte Carlo and against differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import norm, qmc

from keras_ssp import pareto
from keras_ssp.tuner.samplers.hypervolume_improvement import (
    boxes,
    expected_improvement,
)


def losses(objectives, most=8):
    return hnp.arrays(
        "float64",
        st.tuples(st.integers(0, most), st.just(objectives)),
        elements=st.integers(0, 12).map(lambda k: k / 8),
    )


@pytest.mark.parametrize("objectives", [1, 2, 3])
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_boxes_are_what_no_point_dominates(objectives, data):
    front = data.draw(losses(objectives))
    reference = np.ones(objectives)
    low, high = boxes(front, reference)
    bounded = np.maximum(low, 0.0)  # all losses are at least 0
    volume = np.prod(np.maximum(high - bounded, 0.0), axis=1).sum()
    dominated = pareto.hypervolume(front, reference) if len(front) else 0.0
    assert volume == pytest.approx(1.0 - dominated)
    # A point of the grid's middles lies in one box, or is dominated.
    middles = data.draw(losses(objectives)) + 1 / 16
    for z in middles[(middles < 1).all(axis=1)]:
        inside = ((low < z) & (z < high)).all(axis=1).sum()
        assert inside == (0 if (front <= z).all(axis=1).any() else 1)


@pytest.mark.parametrize("objectives", [1, 2, 3])
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_without_doubt_it_is_the_gain_in_hypervolume(objectives, data):
    front, mean = data.draw(losses(objectives)), data.draw(losses(objectives, 5))
    reference = np.ones(objectives)
    found = expected_improvement(mean, np.zeros_like(mean), front, reference)
    before = pareto.hypervolume(front, reference) if len(front) else 0.0
    for value, point in zip(found, mean, strict=True):
        after = pareto.hypervolume(np.vstack([front, point]), reference)
        assert value == pytest.approx(after - before, abs=1e-9)


def gains(samples, front, reference):
    """Gain in hypervolume of each sample, by counting the boxes' overlaps.

    Independent of `boxes`: the volume between a sample and the reference that no point
    of the front dominates, by inclusion and exclusion over the front.
    """
    found = np.prod(np.maximum(reference - samples, 0.0), axis=1)
    for subset in range(1, 2 ** len(front)):
        chosen = [k for k in range(len(front)) if subset >> k & 1]
        corner = np.maximum(samples, front[chosen].max(axis=0))
        volume = np.prod(np.maximum(reference - corner, 0.0), axis=1)
        found += (-1) ** len(chosen) * volume
    return found


FRONTS = {
    2: [[0.2, 0.8], [0.4, 0.5], [0.7, 0.3], [0.8, 0.8]],
    3: [[0.2, 0.8, 0.5], [0.4, 0.5, 0.6], [0.7, 0.3, 0.4], [0.6, 0.6, 0.1]],
}
CANDIDATES = [
    ([0.3, 0.3, 0.3], [0.2, 0.2, 0.2]),
    ([0.5, 0.6, 0.5], [0.3, 0.1, 0.2]),
    ([0.9, 0.1, 0.8], [0.05, 0.3, 0.2]),
    ([1.1, 1.05, 1.0], [0.3, 0.4, 0.5]),
    ([0.1, 0.1, 0.1], [0.01, 0.02, 0.01]),
]


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("k", range(len(CANDIDATES)))
@pytest.mark.parametrize("empty", [False, True])
def test_it_is_what_monte_carlo_finds(objectives, k, empty):
    mean, deviation = (np.asarray(c[:objectives]) for c in CANDIDATES[k])
    front = np.asarray(FRONTS[objectives])[: 0 if empty else None]
    reference = np.ones(objectives)
    # Sobol's points: their error falls faster than that of random ones.
    uniform = qmc.Sobol(objectives, seed=k).random(2**18)
    samples = mean + deviation * norm.ppf(uniform)
    values = gains(samples, front, reference)
    found = expected_improvement(mean[None], deviation[None], front, reference)
    assert found[0] == pytest.approx(values.mean(), rel=0.01)


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_more_points_leave_less_to_gain(data):
    front, more = data.draw(losses(3)), data.draw(losses(3, 3))
    mean, reference = np.full((1, 3), 0.6), np.ones(3)
    deviation = np.full((1, 3), 0.2)
    before = expected_improvement(mean, deviation, front, reference)
    after = expected_improvement(mean, deviation, np.vstack([front, more]), reference)
    assert after <= before + 1e-12


def test_far_from_the_box_there_is_nothing_to_gain():
    mean, deviation = np.full((1, 2), 1e6), np.full((1, 2), 1e-3)
    front = np.asarray([[0.5, 0.5]])
    assert expected_improvement(mean, deviation, front, np.ones(2)) == 0.0
    assert expected_improvement(-mean, deviation, front, np.ones(2)) > 1e11
