"""Optuna's samplers, as samplers of this package's searches; the extra `[optuna]`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from keras_ssp._checks import one_of
from keras_ssp._extras import require
from keras_ssp.tuner.samplers.base import Observations, Sampler, register
from keras_ssp.tuner.space import Space
from keras_ssp.types import Array, Config

#: A sampler, a study and a distribution of Optuna.
OptunaObject: TypeAlias = Any

# NSGA-II's default of 50 is more than most searches here have trials: until so many
# are through it draws at random.
POPULATION = 8
_LOGGER = "optuna.storages._in_memory"


def _tpe(optuna: Any, seed: int, arguments: Config) -> OptunaObject:
    return optuna.samplers.TPESampler(seed=seed, **arguments)


def _nsga2(optuna: Any, seed: int, arguments: Config) -> OptunaObject:
    given = {"population_size": POPULATION, **arguments}
    return optuna.samplers.NSGAIISampler(seed=seed, **given)


def _gp(optuna: Any, seed: int, arguments: Config) -> OptunaObject:
    return optuna.samplers.GPSampler(seed=seed, **arguments)


_ALGORITHMS: dict[str, Callable[[Any, int, Config], OptunaObject]] = {
    "tpe": _tpe,
    "nsga2": _nsga2,
    "gp": _gp,
}


class OptunaSampler(Sampler):
    """One of Optuna's samplers of several objectives.

    It keeps no state: for each proposal a study is made of the trials so far, in
    memory, and asked. Wants `pip install "keras-ssp[optuna]"`.

    Args:
        algorithm: `"tpe"`, `"nsga2"`, or `"gp"` (which wants torch and scipy too).
            Defaults to `"tpe"`.
        **arguments: Arguments of Optuna's sampler besides its seed, such as
            `n_startup_trials`. The population of `"nsga2"` is 8, not Optuna's 50.

    Raises:
        ValueError: If `algorithm` is another one.
        ImportError: From `propose`, if Optuna is not installed.

    Example:

    >>> sampler = OptunaSampler("tpe", n_startup_trials=6)
    >>> sampler.algorithm
    'tpe'
    """

    def __init__(self, algorithm: str = "tpe", **arguments: Any) -> None:
        self.algorithm = one_of("algorithm", algorithm, tuple(_ALGORITHMS))
        self.arguments = arguments

    def propose(
        self,
        space: Space,
        observations: Observations,
        index: int,
        rng: np.random.Generator,
    ) -> Array | None:
        optuna = require("optuna", extra="optuna")
        seed = int(rng.integers(2**31))
        sampler = _ALGORITHMS[self.algorithm](optuna, seed, dict(self.arguments))
        with _quiet():
            study = optuna.create_study(
                sampler=sampler, directions=["minimize"] * observations.losses.shape[1]
            )
        kinds = {f"{k}": _distribution(optuna, space, k) for k in range(space.size)}
        study.add_trials(_trials(optuna, sampler, space, kinds, observations))
        asked = study.ask(kinds).params
        return np.asarray(
            [
                asked[name] if count is None else (asked[name] + 0.5) / count
                for name, count in zip(kinds, space.counts, strict=True)
            ],
            "float64",
        )


@register("optuna_tpe")
class OptunaTPE(OptunaSampler):
    """Optuna's tree-structured Parzen estimator."""

    def __init__(self) -> None:
        super().__init__("tpe")


@register("optuna_nsga2")
class OptunaNSGA2(OptunaSampler):
    """Optuna's NSGA-II, with a population of 8."""

    def __init__(self) -> None:
        super().__init__("nsga2")


def _distribution(optuna: Any, space: Space, k: int) -> OptunaObject:
    count = space.counts[k]
    if count is None:
        return optuna.distributions.FloatDistribution(0.0, 1.0)
    if space.ordered[k]:
        return optuna.distributions.IntDistribution(0, count - 1)
    return optuna.distributions.CategoricalDistribution(tuple(range(count)))


def _trials(
    optuna: Any,
    sampler: OptunaObject,
    space: Space,
    kinds: dict[str, OptunaObject],
    observations: Observations,
) -> Iterator[OptunaObject]:
    """The trials so far as Optuna's, in the order in which they finished."""
    states = optuna.trial.TrialState

    def trial(point: Array, state: OptunaObject, **more: Any) -> OptunaObject:
        values = {
            name: float(u) if count is None else min(int(u * count), count - 1)
            for name, count, u in zip(kinds, space.counts, point, strict=True)
        }
        return optuna.trial.create_trial(
            state=state, params=values, distributions=kinds, **more
        )

    known = np.isfinite(observations.losses).all(axis=1)
    found = zip(observations.points[known], observations.losses[known], strict=True)
    size = getattr(sampler, "population_size", None)
    for k, (point, losses) in enumerate(found):
        # Optuna writes the generation into a trial when it proposes one.
        generation = {}
        if size is not None:
            generation = {sampler._get_generation_key(): k // size}
        values = [float(loss) for loss in losses]
        yield trial(point, states.COMPLETE, values=values, system_attrs=generation)
    for point in observations.pending:
        yield trial(point, states.RUNNING)
    for point in observations.failed:
        yield trial(point, states.FAIL)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Optuna's line about a new study in memory out of this thread's log."""
    here = threading.get_ident()
    logger = logging.getLogger(_LOGGER)

    def elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != here

    logger.addFilter(elsewhere)
    try:
        yield
    finally:
        logger.removeFilter(elsewhere)
