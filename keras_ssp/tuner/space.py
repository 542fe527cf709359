"""The hyperparameters of a search as the unit cube that samplers work in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import keras_tuner
import numpy as np

from keras_ssp.types import Array

#: What a hyperparameter may be.
Value: TypeAlias = bool | int | float | str


class Space:
    """Points of the unit cube, and the values that they stand for.

    Each hyperparameter of Keras Tuner has one coordinate: its cumulative probability,
    as `prob_to_value` and `value_to_prob` have it, so that `sampling="log"` is uniform.

    Args:
        hyperparameters: Keras Tuner's `HyperParameters`.

    Example:

    >>> hp = keras_tuner.HyperParameters()
    >>> _ = hp.Float("penalty_weight", 0.01, 1.0, sampling="log")
    >>> _ = hp.Choice("p", [1, 2])
    >>> space = Space(hp)
    >>> space.names, space.counts
    (('penalty_weight', 'p'), (None, 2))
    >>> space.decode([0.5, 0.9])
    {'penalty_weight': 0.1, 'p': 2}
    """

    def __init__(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        # What is fixed has one value: nothing to search.
        self._all = tuple(hyperparameters.space)
        self.parameters = tuple(hp for hp in self._all if _count(hp) != 1)
        self.names: tuple[str, ...] = tuple(hp.name for hp in self.parameters)
        self.size = len(self.parameters)
        #: How many values each has, `None` for a continuous one.
        self.counts: tuple[int | None, ...] = tuple(map(_count, self.parameters))
        #: Whether the values of each have an order.
        self.ordered: tuple[bool, ...] = tuple(map(_ordered, self.parameters))
        self._values = tuple(
            None
            if count is None
            else [hp.prob_to_value((k + 0.5) / count) for k in range(count)]
            for hp, count in zip(self.parameters, self.counts, strict=True)
        )

    def decode(self, point: Any) -> dict[str, Value]:
        """The values that a point stands for, of the active hyperparameters."""
        return self._read(point)[0]

    def _read(self, point: Any) -> tuple[dict[str, Value], list[bool]]:
        """The values of a point, and which coordinates they depend on."""
        coordinates = dict(zip(map(id, self.parameters), point, strict=True))
        values: dict[str, Value] = {}
        active = set()
        for hp in self._all:
            # As `HyperParameters.is_active` has it, without its copies: samplers ask
            # for thousands of points.
            if all(condition.is_active(values) for condition in hp.conditions):
                active.add(id(hp))
                value = hp.default
                if id(hp) in coordinates:
                    value = hp.prob_to_value(_open(coordinates[id(hp)]))
                values[str(hp.name)] = _plain(value)
        return values, [id(hp) in active for hp in self.parameters]

    def encode(self, values: Mapping[str, Value]) -> Array:
        """The point that stands for values; 0.5 for what is not among them."""
        found = [
            self._probability(k, values[hp.name])
            if values.get(hp.name) is not None
            else 0.5
            for k, hp in enumerate(self.parameters)
        ]
        return self._without_inactive(np.asarray([found], "float64"))[0]

    def _probability(self, k: int, value: Value) -> float:
        known, hp = self._values[k], self.parameters[k]
        if known is None:
            return float(hp.value_to_prob(value))
        # Not by Keras Tuner, which divides by the step and rounds 2.9999 down to 2.
        if isinstance(value, str) or value in known:
            return (known.index(value) + 0.5) / len(known)
        return float(np.abs(np.subtract(known, value)).argmin() + 0.5) / len(known)

    def snap(self, points: Array) -> Array:
        """The points with each coordinate moved to the value that it stands for.

        Coordinates of inactive hyperparameters, which stand for none, are 0.5.
        """
        found = np.array(points, "float64").reshape(-1, self.size)
        for k, count in enumerate(self.counts):
            if count is not None:
                found[:, k] = (_place(found[:, k], count) + 0.5) / count
        return self._without_inactive(found)

    def _without_inactive(self, points: Array) -> Array:
        if any(hp.conditions for hp in self.parameters):
            for point in points:
                active = np.asarray(self._read(point)[1], bool)
                point[~active] = 0.5
        return points

    def features(self, points: Array) -> Array:
        """Points as `(n, f)` features of a regression.

        Ordered hyperparameters keep their coordinate. Values without an order, such as
        the names of surrogates, are one column each (one-hot), all equally far apart.
        """
        snapped = self.snap(points)
        columns = []
        for k, count in enumerate(self.counts):
            if count is None or self.ordered[k] or count == 2:
                columns.append(snapped[:, k : k + 1])
            else:
                which = _place(snapped[:, k], count)
                columns.append(np.eye(count)[which] / np.sqrt(2.0))
        return np.hstack(columns) if columns else np.empty((len(snapped), 0))


def _count(hp: Any) -> int | None:
    if isinstance(hp, keras_tuner.engine.hyperparameters.Fixed):
        return 1
    if isinstance(hp, keras_tuner.engine.hyperparameters.Boolean):
        return 2
    if isinstance(hp, keras_tuner.engine.hyperparameters.Choice):
        return len(hp.values)
    if hp.min_value == hp.max_value:
        return 1
    if hp.step is not None:
        return len(list(hp.values))
    if isinstance(hp, keras_tuner.engine.hyperparameters.Int):
        return int(hp.max_value - hp.min_value + 1)
    return None


def _ordered(hp: Any) -> bool:
    return bool(getattr(hp, "ordered", True))


def _place(coordinates: Array, count: int) -> Array:
    """Which of so many values, in equal intervals of the cube, coordinates mean."""
    return np.clip((coordinates * count).astype(int), 0, count - 1)


def _open(u: float) -> float:
    # Keras Tuner's probabilities end before 1.
    return float(np.clip(u, 0.0, np.nextafter(1.0, 0.0)))


def _plain(value: Any) -> Value:
    return value.item() if isinstance(value, np.generic) else value
