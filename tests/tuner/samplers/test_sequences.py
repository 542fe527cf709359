"""Sobol and Halton points against SciPy's, and how evenly they lie."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from keras_ssp.tuner.samplers import Halton, Sobol


def points(sequence, count, size):
    return np.stack([sequence.point(k, size) for k in range(count)])


def test_sobol_is_scipys():
    with warnings.catch_warnings():  # of 100 points not being a power of 2
        warnings.simplefilter("ignore")
        expected = qmc.Sobol(24, scramble=False).random(100)
    np.testing.assert_allclose(points(Sobol(seed=None), 100, 24), expected, atol=1e-8)


def test_halton_is_scipys():
    expected = qmc.Halton(24, scramble=False).random(200)
    np.testing.assert_allclose(points(Halton(seed=None), 200, 24), expected, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(0, 5), st.integers(0, 5))
def test_sobol_puts_a_point_into_every_interval(seed, power, block):
    count = 2**power
    found = np.stack(
        [Sobol(seed).point(k, 24) for k in range(block * count, (block + 1) * count)]
    )
    for column in found.T:
        assert sorted((column * count).astype(int)) == list(range(count))


@pytest.mark.parametrize("seed", [0, 1, 123])
@pytest.mark.parametrize(("coordinate", "prime"), [(0, 2), (1, 3), (2, 5), (5, 13)])
def test_halton_puts_a_point_into_every_interval(seed, coordinate, prime):
    count = prime**2
    column = points(Halton(seed), count, 6)[:, coordinate]
    assert sorted((column * count).astype(int)) == list(range(count))


@pytest.mark.parametrize("kind", [Sobol, Halton])
def test_even_compared_with_random_points(kind):
    found = points(kind(3), 64, 4)
    random = np.random.default_rng(0).random((64, 4))
    assert ((0 <= found) & (found < 1)).all()
    assert qmc.discrepancy(found) < 0.5 * qmc.discrepancy(random)


@pytest.mark.parametrize("kind", [Sobol, Halton])
def test_a_seed_moves_all_points(kind):
    first, again, other = (points(kind(s), 8, 3) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()


@pytest.mark.parametrize("kind", [Sobol, Halton])
def test_a_coordinate_is_the_same_in_any_space(kind):
    np.testing.assert_array_equal(kind(5).point(9, 7)[:2], kind(5).point(9, 2))


def test_sobol_says_how_many_it_can():
    with pytest.raises(ValueError, match=r"another one than 'sobol'.*more than 24"):
        Sobol().point(0, 25)
    assert Halton().point(3, 25).shape == (25,)


@pytest.mark.parametrize("seed", [-1, "x", 1.5, True])
@pytest.mark.parametrize("kind", [Sobol, Halton])
def test_the_seed_is_an_integer(kind, seed):
    with pytest.raises(ValueError, match="`seed` must be"):
        kind(seed)
