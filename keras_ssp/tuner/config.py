"""A `TrainConfig` with ranges in place of values, as a hypermodel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import keras_tuner

from keras_ssp import training
from keras_ssp._checks import did_you_mean, one_of, real
from keras_ssp.datasets import ImageData, load
from keras_ssp.tuner.oracle import SEED
from keras_ssp.tuner.space import Value
from keras_ssp.types import Array, Config

SAMPLINGS = ("linear", "log", "reverse_log")
_NEURON = "neuron."


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers that a field of a config may have in a search.

    Args:
        low: The least one.
        high: The largest one, above `low`. Two integers make a range of integers.
        sampling: `"linear"`, or `"log"`, where each factor is as likely as the next
            (or Keras Tuner's `"reverse_log"`). Defaults to `"linear"`.
        step: Distance from one value to the next, a factor with `sampling="log"`.
            Defaults to none: every number, or every integer.

    Raises:
        ValueError: If the numbers do not make a range.

    Example:

    >>> Range(0.01, 10.0, sampling="log").sampling
    'log'
    """

    low: float
    high: float
    sampling: str = "linear"
    step: float | None = None

    def __post_init__(self) -> None:
        one_of("sampling", self.sampling, SAMPLINGS)
        low = real("low", self.low, above=0.0 if self.sampling != "linear" else -1e300)
        real("high", self.high, above=low)
        if self.step is not None:
            real("step", self.step, above=1.0 if self.sampling != "linear" else 0.0)

    @property
    def whole(self) -> bool:
        """Whether it is a range of integers."""
        ends = (self.low, self.high, 1 if self.step is None else self.step)
        return all(isinstance(end, int) for end in ends)


#: The values that a field may have: a range, or a list of choices.
Values = Range | Sequence[Value]


class ConfigHyperModel(keras_tuner.HyperModel):
    """Builds and trains the networks of a `TrainConfig` with ranges.

    A trial is trained as `keras_ssp.train` trains its config, and measured on the
    validation part; the test part is not touched.

    Args:
        base: The config; what is not searched stays as it is there.
        search: Field of the config to its `Range`, or to a list of values.
            `"neuron.NAME"` is an argument of the neurons that is no field. `seed`
            cannot be searched: see `seeds` of `ParetoOracle`.
        data: The data. Defaults to `load(base.data)`.
        data_dir: As for `keras_ssp.datasets.load`.

    Raises:
        ValueError: If there is no field of a name, or a value is none that it takes.

    Example:

    >>> space = ConfigHyperModel(
    ...     TrainConfig(epochs=1),
    ...     {"weight": Range(0.01, 10.0, sampling="log"), "p": [1.0, 2.0]})
    >>> hp = keras_tuner.HyperParameters()
    >>> space.config(hp).weight, space.config(hp).p
    (0.01, 1.0)
    """

    def __init__(
        self,
        base: training.TrainConfig,
        search: Mapping[str, Values],
        *,
        data: ImageData | None = None,
        data_dir: str | None = None,
    ) -> None:
        super().__init__()
        self.base = base
        self.ranges: dict[str, Values] = {
            name: _checked(base, name, values) for name, values in search.items()
        }
        if not self.ranges:
            raise ValueError("`search` must name at least one field. Received: none.")
        self._given = data
        self._data_dir = data_dir
        self._data: ImageData | None = None
        # What a config does not take shows now, not in the middle of the night.
        ends = {
            name: (values.low, values.high) if isinstance(values, Range) else values
            for name, values in self.ranges.items()
        }
        first = {name: values[0] for name, values in ends.items()}
        for name, values in ends.items():
            for value in values:
                self.config_of({**first, name: value}, base.seed)

    @property
    def data(self) -> ImageData:
        """The data, read when they are first asked for."""
        if self._data is None:
            found = self._given or load(self.base.data, data_dir=self._data_dir)
            self._data = found.limited(self.base.train_samples)
        return self._data

    def config(self, hp: keras_tuner.HyperParameters) -> training.TrainConfig:
        """The config of a trial; asks `hp` for what is searched."""
        found = {name: _ask(hp, name, values) for name, values in self.ranges.items()}
        return self.config_of(found, hp.values.get(SEED, self.base.seed))

    def config_of(self, values: Mapping[str, Value], seed: int) -> training.TrainConfig:
        """The config that values of the search make, such as those of a trial."""
        neuron = {
            name.removeprefix(_NEURON): value
            for name, value in values.items()
            if name.startswith(_NEURON)
        }
        fields: Config = {k: v for k, v in values.items() if not k.startswith(_NEURON)}
        return dataclasses.replace(
            self.base, **fields, neuron={**self.base.neuron, **neuron}, seed=seed
        )

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        return training.build(self.config(hp), self.data)

    def fit(
        self, hp: keras_tuner.HyperParameters, model: keras.Model, **kwargs: Any
    ) -> keras.callbacks.History:
        return training.fit(model, self.config(hp), self.data, **kwargs)

    def validation_data(self) -> tuple[Array, Array]:
        """What trials are measured on."""
        validation = self.data.inputs("validation")
        return validation.x, validation.one_hot


def _checked(base: training.TrainConfig, name: str, values: Any) -> Values:
    known = {field.name for field in dataclasses.fields(base)} - {"seed", "neuron"}
    known -= {"data", "train_samples", "energy_model"}  # else trials do not compare
    if name not in known and not name.startswith(_NEURON):
        raise ValueError(
            f"`search` must only name {', '.join(sorted(known))}, or neuron.NAME. "
            f"Received: {name}.{did_you_mean(name, known)}"
        )
    if isinstance(values, Mapping):
        values = Range(**values)
    if isinstance(values, Range):
        return values
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise ValueError(
            f"`search` must have a Range or a list of values for {name}. Received: "
            f"{name}={values!r}."
        )
    kinds = {type(value) for value in values}
    if kinds == {int, float}:
        return [float(value) for value in values]
    if len(kinds) > 1 or not kinds <= {bool, int, float, str}:
        raise ValueError(
            f"`search` must have numbers or names, all of one type, for {name}. "
            f"Received: {name}={values!r}."
        )
    return list(values)


def _ask(hp: keras_tuner.HyperParameters, name: str, values: Values) -> Value:
    found: Value
    if not isinstance(values, Range):
        found = hp.Choice(name, list(values))
    elif values.whole:
        found = hp.Int(name, values.low, values.high, values.step, values.sampling)
    else:
        found = hp.Float(name, values.low, values.high, values.step, values.sampling)
    return found
