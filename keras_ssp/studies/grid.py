"""A study: a grid of penalty, lambda, p, surrogate and seed around one config."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from keras_ssp import surrogates
from keras_ssp._checks import (
    did_you_mean,
    one_of,
    positive_int,
    real,
    shown,
    text,
    whole,
)
from keras_ssp.studies.results import CONVERTED, Result
from keras_ssp.training import TrainConfig
from keras_ssp.training.config import penalty_names, penalty_takes
from keras_ssp.types import Config, Table

#: lambda or p: one grid for all penalties, or a table of penalty to grid.
Grid: TypeAlias = Mapping[str, Sequence[float]] | Sequence[float]


def methods() -> tuple[str, ...]:
    """What a study may compare: `"none"`, every penalty, and `"converted"`."""
    return (*penalty_names(), CONVERTED)


@dataclasses.dataclass(frozen=True)
class Task:
    """One training of a study.

    Args:
        series: Name of the curve that it is a point of.
        config: What is trained.
        conversion_steps: For a converted network: every T that it is run for.
    """

    series: str
    config: TrainConfig
    conversion_steps: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """A name that the config decides: the same task is never done twice.

        Of the config only what is not a default counts, so that a field that a later
        version adds leaves finished studies finished.
        """
        default = TrainConfig().to_dict()
        chosen = {k: v for k, v in self.config.to_dict().items() if v != default[k]}
        text = json.dumps(chosen, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def done(self, results: Sequence[Result]) -> bool:
        """Whether `results` hold all its networks."""
        key = self.key  # made once: it checks a whole config
        found = {result.time_steps for result in results if result.key == key}
        return found >= set(self.conversion_steps or (self.config.time_steps,))

    def result(self, values: Mapping[str, float]) -> Result:
        """The result of one of its networks; `values` go before the config's."""
        return Result.of(self.config, key=self.key, series=self.series, **values)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """A grid of trainings that differ in the penalty.

    Args:
        base: The config that all share; its penalty, weight, p, target, surrogate
            and seed are replaced.
        penalties: Which to compare, of `"none"` (always run), `"synaptic"`,
            `"spike_count"`, `"balanced"`, `"synops_target"`, those that were
            registered, and `"converted"` (a QCFS network, trained without spikes and
            converted).
        weights: lambda, one grid for all penalties or a table of penalty to grid.
        p: Exponents, for the penalties that have one; in the same two forms, 1 for a
            penalty that is not in the table.
        surrogates: Surrogate gradients.
        seeds: Seeds.
        target_shares: For a penalty with a target: S_0 as shares of the SynOps that the
            networks without penalty spend (mean of the seeds).
        target_weight: For a penalty with a target: its lambda.
        conversion_steps: For `"converted"`: every T that the network is run for.

    Raises:
        ValueError: If a penalty is unknown, a value is none that `TrainConfig` takes,
            or the base has no spiking neurons.

    Example:

    >>> study = Study(base=TrainConfig(), weights=(0.1, 1.0), seeds=(0,))
    >>> [task.series for task in study.others([])]
    ['synaptic', 'synaptic', 'spike_count', 'spike_count', 'balanced', 'balanced']
    """

    base: TrainConfig
    penalties: tuple[str, ...] = ("none", "synaptic", "spike_count", "balanced")
    weights: Grid = (0.1, 0.3, 1.0, 3.0, 10.0)
    p: Grid = (1.0,)
    surrogates: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    target_shares: tuple[float, ...] = (0.5, 0.3, 0.2, 0.1, 0.05)
    target_weight: float = 1.0
    conversion_steps: tuple[int, ...] = (2, 4, 8, 16)

    def __post_init__(self) -> None:
        if not isinstance(self.base, TrainConfig):
            raise ValueError(
                f"`base` must be a TrainConfig. Received: base={shown(self.base)}."
            )
        for name in ("penalties", "surrogates"):
            object.__setattr__(self, name, _listed(name, getattr(self, name), str))
        for name in ("seeds", "conversion_steps"):
            object.__setattr__(self, name, _listed(name, getattr(self, name), int))
        shares = _listed("target_shares", self.target_shares, float)
        object.__setattr__(self, "target_shares", shares)
        for name in ("weights", "p"):
            object.__setattr__(self, name, _checked_grid(name, getattr(self, name)))
        real("target_weight", self.target_weight, low=0.0)
        steps = tuple(
            positive_int("conversion_steps", t) for t in self.conversion_steps
        )
        object.__setattr__(self, "conversion_steps", steps)
        if not self.surrogates:
            object.__setattr__(self, "surrogates", (self.base.surrogate,))
        for name in self.penalties:
            one_of("penalties", name, methods())
        for name in self.surrogates:
            one_of("surrogates", name, surrogates.names())
        for field in ("weights", "p"):
            table = getattr(self, field)
            for name in table if isinstance(table, Mapping) else ():
                one_of(field, name, methods())
        if not self.seeds:
            raise ValueError("`seeds` must hold at least one seed. Received: seeds=().")
        for share in self.target_shares:
            real("target_shares", share, above=0.0)
        if not self.base.spiking and set(self.penalties) - {"none", CONVERTED}:
            raise ValueError(
                "`base` must have spiking neurons in a study of penalties; "
                "penalties=['converted'] trains an ANN. Received: activation="
                f"{self.base.activation!r}."
            )
        # A value that is not allowed shows now, not after hours of training.
        list(self._all({surrogate: 1.0 for surrogate in self.surrogates}))

    @classmethod
    def from_dict(cls, values: Table) -> Study:
        """Builds a study from two tables, `train` and `grid`, as a file holds them."""
        for name in ("train", "grid"):
            if not isinstance(values.get(name, {}), Mapping):
                raise ValueError(
                    f"`{name}` must be a table of names and values. "
                    f"Received: {name}={shown(values[name])}."
                )
        unknown = sorted(map(str, set(values) - {"train", "grid"}))
        known = {field.name for field in dataclasses.fields(cls)} - {"base"}
        unknown += sorted(map(str, set(values.get("grid", {})) - known))
        if unknown:
            raise ValueError(
                "A study must only have the tables 'train' and 'grid', the latter with "
                f"the names {', '.join(sorted(known))}. Received: {', '.join(unknown)}."
                f"{did_you_mean(unknown[0], known)}"
            )
        base = TrainConfig.from_dict({"penalty": "none", **values.get("train", {})})
        return cls(base=base, **values.get("grid", {}))

    def to_dict(self) -> Config:
        """The study as the two tables."""
        grid = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "base"
        }
        return {"train": self.base.to_dict(), "grid": grid}

    def baselines(self) -> Iterator[Task]:
        """The trainings without penalty: they go first, as others need them."""
        for seed in self.seeds:
            for surrogate in self.surrogates:
                yield Task(
                    self._series("none", surrogate),
                    self._config("none", 0.0, seed=seed, surrogate=surrogate),
                )

    def others(self, results: Sequence[Result]) -> Iterator[Task]:
        """All other trainings, seed by seed.

        Args:
            results: Those of the baselines, whose SynOps the targets are shares of.
        """
        synops: dict[str, list[float]] = {}
        for result in results:
            if result.is_baseline:
                synops.setdefault(result.surrogate, []).append(result.synops)
        yield from self._all({k: float(np.mean(v)) for k, v in synops.items()})

    def _all(self, synops: Mapping[str, float]) -> Iterator[Task]:
        for seed in self.seeds:
            for penalty in self.penalties:
                if penalty == CONVERTED:
                    yield self._converted(seed)
                elif penalty_takes(penalty, "target"):
                    yield from self._targets(penalty, seed, synops)
                elif penalty != "none":
                    yield from self._weighted(penalty, seed)

    def _weighted(self, penalty: str, seed: int) -> Iterator[Task]:
        exponents = _grid(self.p, penalty) or (1.0,)
        if not penalty_takes(penalty, "p"):
            exponents = (1.0,)
        for p in exponents:
            for surrogate in self.surrogates:
                for weight in _grid(self.weights, penalty):
                    yield Task(
                        self._series(
                            penalty, surrogate, p if len(exponents) > 1 else None
                        ),
                        self._config(
                            penalty, weight, p=p, seed=seed, surrogate=surrogate
                        ),
                    )

    def _targets(
        self, penalty: str, seed: int, synops: Mapping[str, float]
    ) -> Iterator[Task]:
        for surrogate in self.surrogates:
            for share in self.target_shares if surrogate in synops else ():
                yield Task(
                    self._series(penalty, surrogate),
                    self._config(
                        penalty,
                        self.target_weight,
                        seed=seed,
                        surrogate=surrogate,
                        # Rounded: a last digit must not make another task of it.
                        target=float(f"{share * synops[surrogate]:.6g}"),
                    ),
                )

    def _converted(self, seed: int) -> Task:
        config = dataclasses.replace(
            self._config("none", 0.0, seed=seed, surrogate=self.surrogates[0]),
            activation="qcfs",
            neuron={},
        )
        return Task(CONVERTED, config, self.conversion_steps)

    def _config(self, penalty: str, weight: float, **values: Any) -> TrainConfig:
        values = {"p": 1.0, "target": None, **values}
        if not self.base.spiking:  # the baseline of a study that only converts
            values["activation"] = TrainConfig().activation
        if penalty != "none" and not penalty_takes(penalty, "normalize"):
            values["normalize"] = TrainConfig().normalize
        return dataclasses.replace(self.base, penalty=penalty, weight=weight, **values)

    def _series(self, penalty: str, surrogate: str, p: float | None = None) -> str:
        # Only what differs within the study is worth a name.
        parts = [penalty, *([] if p is None else [f"p={p:g}"])]
        return " ".join(parts + ([surrogate] if len(self.surrogates) > 1 else []))


def _grid(values: Grid, penalty: str) -> tuple[float, ...]:
    found = values.get(penalty, ()) if isinstance(values, Mapping) else values
    return tuple(float(v) for v in found)


def _listed(name: str, values: object, kind: type) -> tuple[Any, ...]:
    """A list of names or numbers, none of them twice."""
    if isinstance(values, str | bytes) or not np.iterable(values):
        raise ValueError(
            f"`{name}` must be a list. Received: {name}={shown(values)}. "
            f"Remedy: [{shown(values)}]."
        )
    found = tuple(values)
    for value in found:
        if kind is str:
            text(name, value)
        elif kind is int:
            whole(name, value)
        else:
            real(name, value)
    if len(set(found)) != len(found):
        raise ValueError(
            f"`{name}` must not name anything twice. Received: {name}={shown(found)}."
        )
    return found


def _checked_grid(name: str, values: object) -> Any:
    if isinstance(values, Mapping):
        return {key: _listed(name, each, float) for key, each in values.items()}
    return _listed(name, values, float)
