"""Samplers that look at nothing: random points, and a grid."""

from __future__ import annotations

import math

import numpy as np

from keras_ssp._checks import positive_int
from keras_ssp.tuner.samplers.base import (
    Observations,
    Sampler,
    checked_seed,
    register,
)
from keras_ssp.tuner.space import Space
from keras_ssp.types import Array

# A grid is shuffled as a whole, and nobody trains as many networks.
_LARGEST_GRID = 1_000_000


@register("random")
class Random(Sampler):
    """Every point of the cube is as likely as any other."""

    def propose(
        self,
        space: Space,
        observations: Observations,
        index: int,
        rng: np.random.Generator,
    ) -> Array | None:
        return rng.random(space.size)


@register("grid")
class Grid(Sampler):
    """All combinations of a few values of each hyperparameter, then no further point.

    They come in a random order, so that a search that ends before its grid has seen
    all parts of it.

    Args:
        levels: Values of each continuous hyperparameter, from end to end of its range
            in equal steps (in equal ratios, where it is sampled logarithmically). Of
            the others, all values are in the grid. Defaults to 5.
        seed: Integer that the order is drawn by; `None` for the order of the values.
            Defaults to 0.

    Raises:
        ValueError: If an argument is not such an integer; from `propose`, if the grid
            has more than a million points.
    """

    def __init__(self, levels: int = 5, seed: int | None = 0) -> None:
        self.levels = positive_int("levels", levels)
        self.seed = checked_seed(seed)

    def propose(
        self,
        space: Space,
        observations: Observations,
        index: int,
        rng: np.random.Generator,
    ) -> Array | None:
        axes = [self._axis(count) for count in space.counts]
        sizes = tuple(map(len, axes))
        total = math.prod(sizes)
        if total > _LARGEST_GRID:
            raise ValueError(
                f"`sampler` must be another one than 'grid' for {total} combinations: "
                f"give steps, fewer levels or another sampler. Received: {sizes} "
                f"values of {', '.join(space.names)}."
            )
        if index >= total:
            return None
        if self.seed is not None:
            index = int(np.random.default_rng(self.seed).permutation(total)[index])
        places = np.unravel_index(index, sizes)
        return np.asarray([a[k] for a, k in zip(axes, places, strict=True)], "float64")

    def _axis(self, count: int | None) -> Array:
        if count is None:
            alone = np.asarray([0.5])
            return np.linspace(0.0, 1.0, self.levels) if self.levels > 1 else alone
        return (np.arange(count) + 0.5) / count
