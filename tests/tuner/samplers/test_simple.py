"""Random points and grids."""

import itertools

import numpy as np
import pytest

from keras_ssp.tuner.samplers import Grid, Random
from tests.tuner.samplers.helpers import observed, space_of


def walk(grid, space):
    found = []
    none = observed(np.empty((0, space.size)))
    for index in itertools.count():
        point = grid.propose(space, none, index, np.random.default_rng(0))
        if point is None:
            return found
        found.append(space.decode(point))


def test_a_grid_has_all_combinations_once():
    space = space_of("discrete")
    found = walk(Grid(), space)
    expected = itertools.product(
        [1, 2], [1, 2, 3, 4], ["triangle", "sigmoid", "arctan"]
    )
    assert sorted(tuple(v.values()) for v in found) == sorted(expected)


def test_levels_of_what_is_continuous():
    space = space_of("line")
    found = [v["weight"] for v in walk(Grid(levels=5, seed=None), space)]
    np.testing.assert_allclose(found, [0.01, 0.1, 1.0, 10.0, 100.0])
    assert [v["weight"] for v in walk(Grid(levels=1), space)] == [pytest.approx(1.0)]


def test_a_part_of_a_grid_has_all_values():
    space = space_of("mixed")
    assert len(walk(Grid(levels=3), space)) == 3 * 8 * 3 * 2
    part = walk(Grid(levels=3), space)[:40]
    seen = {name: len({values[name] for values in part}) for name in part[0]}
    expected = {"weight": 3, "width": 8, "surrogate": 3, "batch_norm": 2}
    assert seen == {**expected, "time_steps": 1}


def test_the_seed_is_of_the_order_alone():
    space = space_of("mixed")
    orders = [walk(Grid(3, seed), space) for seed in (None, 0, 0, 1)]
    assert orders[1] == orders[2] != orders[3] != orders[0]
    keys = [sorted(map(repr, order)) for order in orders]
    assert keys[0] == keys[1] == keys[3]


def test_a_grid_that_nobody_can_train_is_refused():
    space = space_of("many")
    none = observed(np.empty((0, space.size)))
    with pytest.raises(ValueError, match="244140625 combinations"):
        Grid().propose(space, none, 0, np.random.default_rng(0))


@pytest.mark.parametrize("arguments", [{"levels": 0}, {"levels": 2.5}, {"seed": -1}])
def test_arguments_of_a_grid(arguments):
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}` must be"):
        Grid(**arguments)


def test_random_points_are_everywhere():
    space, none = space_of("mixed"), observed(np.empty((0, 4)))
    rng = np.random.default_rng(0)
    found = np.stack([Random().propose(space, none, k, rng) for k in range(400)])
    counts = [np.histogram(column, 4, (0, 1))[0] for column in found.T]
    assert np.min(counts) > 60
