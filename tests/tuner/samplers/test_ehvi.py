"""The default sampler: what it does with what it is told."""

import time

import keras_tuner
import numpy as np
import pytest

from keras_ssp import pareto
from keras_ssp.tuner.samplers import ExpectedHypervolume, Halton, Random, Sobol
from keras_ssp.tuner.samplers.ehvi import within_sight
from keras_ssp.tuner.space import Space
from tests.tuner.samplers.helpers import losses_of, observed, searched, space_of

REFERENCE = (1.0, 1.0)


def propose(known, space, index=99, seed=0, **arguments):
    sampler = ExpectedHypervolume(**arguments)
    return sampler.propose(space, known, index, np.random.default_rng(seed))


def plane():
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0)
    hp.Float("y", 0.0, 1.0)
    return Space(hp)


def volume(losses, reference=REFERENCE):
    return pareto.hypervolume(losses, reference)


def noisy(scale):
    rng = np.random.default_rng(5)
    return lambda points: losses_of(points) + scale * rng.standard_normal((1, 2))


def test_it_finds_more_than_what_does_not_look():
    space, others = space_of("mixed"), (Random(), Sobol(), Halton())
    mine, *rest = (
        volume(searched(sampler, space, losses_of, 20)[1])
        for sampler in (ExpectedHypervolume(), *others)
    )
    assert mine > max(rest)


def test_noise_does_not_hold_it_up():
    space = plane()
    points, _ = searched(ExpectedHypervolume(), space, noisy(0.02), 24)
    others, _ = searched(Random(), space, noisy(0.02), 24)
    best = volume(losses_of(np.column_stack([np.linspace(0, 1, 500), np.zeros(500)])))
    assert volume(losses_of(points)) > 0.97 * best > volume(losses_of(others))


def test_three_objectives():
    space, reference = plane(), (1.0,) * 3

    def measure(points):
        x, y = points.T
        return np.stack([x + 0.2, y + 0.2, 1.1 - (x + y) / 2], axis=1)

    found = [
        volume(searched(s, space, measure, 20, reference=reference)[1], reference)
        for s in (ExpectedHypervolume(), Random())
    ]
    assert found[0] > found[1]


def test_the_start_fills_the_space():
    space = space_of("mixed")
    known = observed(np.empty((0, 4)))
    found = [propose(known, space, index) for index in range(6)]
    np.testing.assert_array_equal(found, [Halton().point(k, 4) for k in range(6)])


@pytest.mark.parametrize("start", [1, 3, 20])
def test_length_of_the_start(start):
    space, rng = plane(), np.random.default_rng(0)
    known = observed(rng.random((start, 2)))
    for index, by_design in ((start - 1, True), (start, False)):
        found = propose(known, space, index, start=start)
        assert by_design == np.array_equal(found, Halton().point(index, 2))


def test_without_a_reference_the_start_goes_on():
    known = observed(np.random.default_rng(0).random((30, 2)), reference=None)
    found = propose(known, plane(), 30)
    np.testing.assert_array_equal(found, Halton().point(30, 2))


def test_workers_that_start_together_all_get_points_of_the_start():
    # Nothing is finished yet, however many were proposed.
    known = observed([[0.5, 0.5]], pending=np.random.default_rng(0).random((30, 2)))
    found = propose(known, plane(), 31)
    np.testing.assert_array_equal(found, Halton().point(31, 2))


def test_workers_are_sent_to_different_places():
    space, known = plane(), np.random.default_rng(0).random((10, 2))
    pending = np.empty((0, 2))
    for _ in range(4):
        found = propose(observed(known, pending=pending), space)
        apart = np.abs(pending - found).max(axis=1)
        assert (apart > 0.02).all()
        pending = np.vstack([pending, found])


def test_it_stays_away_from_failures():
    space, known = plane(), np.random.default_rng(0).random((10, 2))
    wanted = propose(observed(known), space)
    found = propose(observed(known, failed=[wanted]), space)
    assert np.linalg.norm(found - wanted) > 0.1


def test_no_values_are_proposed_twice():
    space = space_of("discrete")
    points, _ = searched(ExpectedHypervolume(), space, losses_of, 24)
    assert len({tuple(space.decode(p).values()) for p in points}) >= 20
    # One is left of all: it is proposed.
    every = space.snap(
        np.stack(np.meshgrid([0, 0.9], np.arange(4) / 4, np.arange(3) / 3), -1).reshape(
            -1, 3
        )
    )
    for left in (0, 7, 23):
        known = observed(np.delete(every, left, axis=0))
        np.testing.assert_allclose(propose(known, space), every[left])


@pytest.mark.parametrize(
    "losses",
    [
        [[0.5, 0.5]] * 8,
        [[1.5, 1.5]] * 8,
        [[2.0, 0.1], [0.1, 2.0]] * 4,
        [[0.5, 0.5], *[[np.nan, 0.5]] * 7],
    ],
    ids=["all equal", "all bad and equal", "none in the box", "one measured"],
)
@pytest.mark.parametrize("start", [1, 8])
def test_it_proposes_a_point_whatever_was_measured(losses, start):
    known = observed(np.random.default_rng(0).random((8, 2)), losses)
    found = propose(known, plane(), start=start)
    assert ((0 <= found) & (found <= 1)).all()


def test_from_outside_of_the_box_it_finds_the_way_in():
    # Losses fall along both coordinates; only the corner beyond 0.9 is in the box.
    def measure(points):
        return 10.0 * (1.0 - points)

    for seed in range(3):
        _, losses = searched(ExpectedHypervolume(), plane(), measure, 14, seed=seed)
        assert (losses < 1.0).all(axis=1).any()


def test_networks_on_a_cliff_do_not_spoil_the_fit():
    # Beyond a weight the network is silent: at chance, and next to no energy.
    def measure(points):
        smooth = losses_of(points)
        silent = points[:, 0] > 0.8
        smooth[silent] = [3.0, -3.0]
        return smooth

    space = plane()
    best = volume(measure(np.column_stack([np.linspace(0, 1, 999), np.zeros(999)])))
    for seed in range(3):
        points, losses = searched(ExpectedHypervolume(), space, measure, 24, seed=seed)
        assert volume(losses) > 0.95 * best
        assert (points[10:, 0] > 0.8).mean() < 0.4


def test_within_sight():
    losses = np.asarray([[0.2, 0.5], [0.6, 0.3], [9.0, -9.0], [0.7, 1.2]])
    found = within_sight(losses, np.ones(2))
    np.testing.assert_array_equal(found[[0, 1, 3]], losses[[0, 1, 3]])
    assert (1.0 < found[2, 0] < 2.0) and (-1.0 < found[2, 1] < 0.3)
    outside = losses + 1.0
    outside[2] = 10.0
    np.testing.assert_array_equal(within_sight(outside, np.ones(2)), outside)


@pytest.mark.parametrize("arguments", [{"start": 0}, {"candidates": 1.5}])
def test_arguments(arguments):
    with pytest.raises(ValueError, match="must be a positive integer"):
        ExpectedHypervolume(**arguments)


def test_hundred_trials_take_no_longer_than_a_breath():
    space, rng = space_of("many"), np.random.default_rng(0)
    known = observed(rng.random((100, 12)), reference=(2.0, 2.0))
    started = time.process_time()
    propose(known, space)
    assert time.process_time() - started < 10.0
