"""What holds for every sampler, in every kind of space."""

import numpy as np
import pytest

from keras_ssp.tuner import samplers
from tests.tuner.samplers.helpers import SPACES, observed, space_of


@pytest.fixture(params=sorted(samplers.names()))
def sampler(request):
    return samplers.get(request.param)


@pytest.fixture(params=sorted(SPACES))
def space(request):
    return space_of(request.param)


def rng(*seed):
    return np.random.default_rng([7, *seed])


def some(space, count, **more):
    points = space.snap(rng().random((count, space.size)))
    return observed(points, **more)


def propose(sampler, space, observations, index, seed=0):
    if sampler.__class__.__name__ == "Grid" and space.size > 8:
        pytest.skip("a grid of so many hyperparameters is refused")
    return sampler.propose(space, observations, index, rng(seed))


def check(space, point):
    if point is None:  # all of a grid was proposed
        assert space.names == ("weight",)
        return
    assert point.shape == (space.size,) and point.dtype == "float64"
    assert ((0.0 <= point) & (point <= 1.0)).all()
    again = space.encode(space.decode(point))
    assert space.decode(again) == pytest.approx(space.decode(point))


@pytest.mark.parametrize("count", [0, 1, 3, 15])
@pytest.mark.parametrize("known", [True, False], ids=["reference", "none"])
def test_a_point_of_the_cube(sampler, space, count, known):
    reference = (1.0, 1.0) if known else None
    found = propose(sampler, space, some(space, count, reference=reference), count)
    check(space, found)


def test_three_objectives_trials_under_way_and_failures(sampler, space):
    more = rng(1).random((3, space.size))
    found = some(space, 14, reference=(1.0,) * 3, pending=more[:2], failed=more[2:])
    check(space, propose(sampler, space, found, 17))


def test_what_was_not_measured_is_left_out(sampler, space):
    known = some(space, 14)
    known.losses[3] = np.nan, 0.5
    known.losses[5] = np.inf
    check(space, propose(sampler, space, known, 14))


@pytest.mark.parametrize("index", [0, 5, 20])
def test_the_same_arguments_give_the_same_point(sampler, space, index):
    known = some(space, index)
    first = propose(sampler, space, known, index)
    copy = type(sampler)()
    # Neither another object nor other questions in between change it.
    propose(copy, space, some(space, 2), 2, seed=3)
    again = propose(copy, space, known, index)
    assert (again is None) == (first is None)
    if first is not None:
        np.testing.assert_array_equal(again, first)


def test_arguments_are_left_alone(sampler, space):
    known, before = some(space, 12), some(space, 12)
    propose(sampler, space, known, 12)
    for name in ("points", "losses", "reference", "pending", "failed"):
        np.testing.assert_array_equal(getattr(known, name), getattr(before, name))


def test_a_sampler_is_a_sampler(sampler):
    assert isinstance(sampler, samplers.Sampler)
    assert samplers.get(sampler) is sampler


def test_names():
    assert set(samplers.names()) >= {
        *("ehvi", "random", "sobol", "halton", "grid", "optuna_tpe", "optuna_nsga2")
    }
    with pytest.raises(ValueError, match=r"`sampler` must be.*Did you mean 'sobol'"):
        samplers.get("sobl")
