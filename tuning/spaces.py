"""What is searched: the spaces of this project, and those of a user's file."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from keras_ssp._checks import did_you_mean
from keras_ssp._config_file import read_config
from keras_ssp.studies.demo import BASE
from keras_ssp.training import TrainConfig
from keras_ssp.tuner import ConfigHyperModel, Objective, Range
from keras_ssp.tuner.objectives import DEFAULT, objectives_of
from keras_ssp.tuner.space import Value
from keras_ssp.types import Config, Table

#: A list of values, or a range: `low`, `high`, and perhaps `sampling` and `step`.
Values: TypeAlias = Sequence[Value] | Mapping[str, Value]

_TABLES = ("train", "search", "objectives")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """A network and its training, with ranges in place of some values.

    Args:
        name: What the search is called.
        train: Values of the `TrainConfig` that differ from its defaults.
        search: Field of the config to its values: a list, or a range as a table with
            `low`, `high` and perhaps `sampling` and `step`.
        objectives: Two or three objectives.

    Raises:
        ValueError: If a value is none that its field may have.

    Example:

    >>> space = SearchSpace(name="mine", train={"epochs": 5},
    ...     search={"weight": {"low": 0.1, "high": 10.0, "sampling": "log"}})
    >>> space.config.epochs, space.objectives[0].name
    (5, 'val_accuracy')
    """

    name: str
    train: Table
    search: Mapping[str, Values]
    objectives: tuple[Objective, ...] = objectives_of(DEFAULT)

    def __post_init__(self) -> None:
        self.hypermodel()  # what does not fit together shows now

    @property
    def config(self) -> TrainConfig:
        """The config with the first values of what is searched left as they are."""
        return TrainConfig.from_dict(dict(self.train))

    def hypermodel(self, data_dir: str | None = None) -> ConfigHyperModel:
        """What a tuner searches; the data are read when it begins."""
        ranges = {name: _range(name, v) for name, v in self.search.items()}
        return ConfigHyperModel(self.config, ranges, data_dir=data_dir)

    def with_values(self, values: Table) -> SearchSpace:
        """The space with other values of the config, which are then not searched."""
        search = {k: v for k, v in self.search.items() if k not in values}
        return dataclasses.replace(self, train={**self.train, **values}, search=search)

    def to_dict(self) -> Config:
        """The space as plain values, the tables of a file."""
        return {
            "name": self.name,
            "train": dict(self.train),
            "search": {name: _plain(values) for name, values in self.search.items()},
            "objectives": {
                o.name: {k: v for k, v in o.to_dict().items() if k != "name"}
                for o in self.objectives
            },
        }

    @classmethod
    def from_dict(cls, values: Table) -> SearchSpace:
        """Restores a space, or makes one of the tables of a file.

        Raises:
            ValueError: If there is another table, or a value does not fit.
        """
        unknown = sorted(set(values) - {*_TABLES, "name"})
        if unknown:
            raise ValueError(
                f"A search's file must only have the tables {', '.join(_TABLES)}. "
                f"Received: {', '.join(unknown)}.{did_you_mean(unknown[0], _TABLES)}"
            )
        for table in _TABLES:
            if not isinstance(values.get(table, {}), Mapping):
                raise ValueError(
                    f"`{table}` must be a table of names and values. Received: "
                    f"{table}={values[table]!r}."
                )
        return cls(
            name=str(values.get("name", "search")),
            train=dict(values.get("train", {})),
            search=dict(values.get("search", {})),
            objectives=_objectives(values.get("objectives", {})),
        )


def _range(name: str, values: Values) -> Range | Sequence[Value]:
    if not isinstance(values, Mapping):
        return values
    fields = {field.name for field in dataclasses.fields(Range)}
    if not {"low", "high"} <= set(values) <= fields:
        raise ValueError(
            "`search` must have a list of values, or a table of low, high and perhaps "
            f"sampling and step. Received: {name}={dict(values)}."
        )
    options: dict[str, Any] = dict(values)
    return Range(**options)


def _objectives(table: Mapping[str, object]) -> tuple[Objective, ...]:
    found = []
    for name, options in (table or dict.fromkeys(DEFAULT, {})).items():
        if not isinstance(options, Mapping):
            raise ValueError(
                "`objectives` must have a table for each objective, which may have "
                f"direction, scale and reference. Received: {name}={options!r}."
            )
        known = {"direction", "scale", "reference"}
        if not set(options) <= known:
            raise ValueError(
                f"`objectives` must only have direction, scale and reference for "
                f"{name}. Received: {', '.join(sorted(set(options) - known))}."
            )
        found.append(Objective(name, **options))
    return objectives_of(found)


def _plain(values: Values) -> Values:
    return dict(values) if isinstance(values, Mapping) else list(values)


def _log(low: float, high: float) -> dict[str, Value]:
    return {"low": low, "high": high, "sampling": "log"}


def _against_energy(
    accuracy: float, energy_pj: float | None = None
) -> tuple[Objective, ...]:
    """Accuracy and synaptic energy, with their worst values that count."""
    return (
        Objective("val_accuracy", reference=accuracy),
        Objective("val_synaptic_energy_pj", reference=energy_pj),
    )


# What a network of full size is trained with; the studies in docs/results/full_size
# have the same.
_FULL_SIZE: Config = {
    "augment": "standard",
    "time_steps": 4,
    "batch_size": 128,
    "optimizer": "adamw",
    "weight_decay": 5e-3,
    "warmup": 2,
    "label_smoothing": 0.1,
    "clip_norm": 1.0,
    "learning_rate": 2e-3,
}
# The weight of the normalised penalty means the same in every network.
_PENALTY: dict[str, Values] = {"weight": _log(0.01, 30.0), "p": [1.0, 2.0]}
_DEEP: dict[str, Values] = {**_PENALTY, "learning_rate": _log(5e-4, 5e-3)}


def _spaces() -> tuple[SearchSpace, ...]:
    return (
        SearchSpace(
            name="digits",
            # The demo's recipe; without penalty it spends 0.2 uJ.
            train={
                name: getattr(BASE, name)
                for name in ("data", "epochs", "batch_size", "learning_rate")
            },
            search={**_PENALTY, "time_steps": [1, 2, 4]},
            objectives=_against_energy(0.85, 250e3),
        ),
        SearchSpace(
            name="fashion_mnist",
            # The network of docs/results/fashion_mnist_study.md; 0.73 uJ.
            train={
                "data": "fashion_mnist",
                "train_samples": 10_000,
                "width": 0.5,
                "epochs": 5,
                "learning_rate": 8e-3,
            },
            search=_PENALTY,
            objectives=_against_energy(0.75, 800e3),
        ),
        SearchSpace(
            name="cnn7",
            train={
                **_FULL_SIZE,
                "data": "fashion_mnist",
                "model": "cnn7",
                "epochs": 40,
            },
            search=_DEEP,
            objectives=_against_energy(0.8),
        ),
        SearchSpace(
            name="vgg11",
            train={**_FULL_SIZE, "data": "cifar10", "model": "vgg11", "epochs": 100},
            search=_DEEP,
            objectives=_against_energy(0.7),
        ),
        SearchSpace(
            name="resnet18",
            train={**_FULL_SIZE, "data": "cifar10", "model": "resnet18", "epochs": 100},
            search=_DEEP,
            objectives=_against_energy(0.7),
        ),
    )


#: The spaces of this project, by name. The energies that the large networks spend are
#: not known yet: their reference is taken from the first trials.
SPACES: Mapping[str, SearchSpace] = {space.name: space for space in _spaces()}


def find_space(which: str) -> SearchSpace:
    """A space by its name, or that of a file with the tables of one.

    Args:
        which: A name, or the path of a `.toml`, `.json` or `.yaml` file with the
            tables `train`, `search` and `objectives`.

    Raises:
        ValueError: If there is none of that name, or the file does not make one.
        OSError: If the file cannot be read.

    Example:

    >>> find_space("digits").config.data
    'digits'
    """
    if which in SPACES:
        return SPACES[which]
    path = pathlib.Path(which)
    if not path.suffix:
        raise ValueError(
            f"`space` must be one of {', '.join(SPACES)}, or a .toml, .json or .yaml "
            f"file. Received: {which}.{did_you_mean(which, SPACES)}"
        )
    return SearchSpace.from_dict({"name": path.stem, **read_config(path)})
