"""The oracle of a Pareto search: which trial comes next, and when it is enough."""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from keras_ssp._checks import one_of, positive_int, real
from keras_ssp.training.folder import read_json, write_json
from keras_ssp.tuner import samplers
from keras_ssp.tuner.durable import DurableOracle
from keras_ssp.tuner.objectives import (
    DEFAULT,
    Objective,
    losses,
    objectives_of,
    reference_losses,
)
from keras_ssp.tuner.results import SCHEMA, SEARCH, hypervolume_history, read_search
from keras_ssp.tuner.samplers import Observations, Sampler
from keras_ssp.tuner.space import Space, Value
from keras_ssp.types import Config

#: The value of a trial that says which seed it is to be trained with.
SEED = "tuner/seed"
REPEATS = ("average", "trials")
# How often a sampler is asked again when it proposes what was tried already, and how
# often random values are tried after that, before the space counts as exhausted.
_ASKED, _DRAWN = 100, 1000


class ParetoOracle(DurableOracle):
    """Keras Tuner's oracle for two or three objectives.

    Keras Tuner adds several objectives up into one number; this one keeps them apart
    and searches for the frontier. No values are proposed twice. The trial numbered k
    depends on the seed, on k and on the results of the trials before it, so that an
    interrupted search goes on with the trials that it would have had.

    Args:
        objectives: Two or three of them: names, `Objective`s or Keras Tuner's.
            Defaults to the accuracy and the synaptic energy on the validation data.
        sampler: Name of a sampler, or a `Sampler`. Defaults to `"ehvi"`.
        max_trials: Trials at most, a positive integer, or `None` for no limit.
            Defaults to 24.
        max_hours: Hours at most, counted over all its processes; trials that are under
            way then are finished. Defaults to no limit.
        patience: Trials in a row after which the search stops, if they have not raised
            the hypervolume by more than `min_gain`. Defaults to no such limit.
        min_gain: Share of the hypervolume, at least 0. Defaults to 0.001.
        start: Trials after which the reference point is taken, where an objective has
            none. Defaults to twice the number of hyperparameters plus 2, at least 6.
        seeds: Positive integer, trainings of the same values that differ in the seed.
            Defaults to 1.
        repeat: `"average"` makes the seeds one trial, with the means of its metrics;
            `"trials"` makes each a trial of its own. Defaults to `"average"`.
        seed: Seed of the search, and the first seed of the trainings. Defaults to 0.
        hyperparameters: As for `keras_tuner.Oracle`.
        lease: Seconds after which the trial of a worker that is not heard from is
            given to another one. Defaults to 60.

    Raises:
        ValueError: If there is no limit at all, or a value is not one of those that
            its argument may be.

    Example:

    >>> oracle = ParetoOracle(["val_accuracy", "val_energy_pj"], max_trials=8)
    >>> [objective.scale for objective in oracle.objectives]
    ['linear', 'log']
    """

    def __init__(
        self,
        objectives: Sequence[str | Objective | Any] = DEFAULT,
        *,
        sampler: str | Sampler = "ehvi",
        max_trials: int | None = 24,
        max_hours: float | None = None,
        patience: int | None = None,
        min_gain: float = 1e-3,
        start: int | None = None,
        seeds: int = 1,
        repeat: str = "average",
        seed: int = 0,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        lease: float = 60.0,
    ) -> None:
        self.objectives = objectives_of(objectives)
        self.sampler = samplers.get(sampler)
        self.sampler_name = samplers.name_of(self.sampler)
        self.max_hours = _limit("max_hours", max_hours)
        self.patience = positive_int("patience", patience, optional=True)
        self.min_gain = real("min_gain", min_gain, low=0.0)
        self.start = positive_int("start", start, optional=True)
        self.seeds = positive_int("seeds", seeds)
        self.repeat = one_of("repeat", repeat, REPEATS)
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(
                f"`seed` must be an integer of at least 0. Received: seed={seed!r}."
            )
        if max_trials is None and max_hours is None and patience is None:
            raise ValueError(
                "`max_trials`, `max_hours` or `patience` must be given, or the search "
                "has no end. Received: None for all three."
            )
        super().__init__(
            objective=[
                keras_tuner.Objective(o.name, o.direction) for o in self.objectives
            ],
            max_trials=positive_int("max_trials", max_trials, optional=True),
            hyperparameters=hyperparameters,
            seed=seed,
            lease=lease,
        )
        known = [objective.reference for objective in self.objectives]
        #: The worst values that count; `None` until the start has shown them.
        self.reference: tuple[float, ...] | None = (
            None if None in known else tuple(r for r in known if r is not None)
        )

    @property
    def each_seed(self) -> int:
        """Trials that have the same values and differ in the seed."""
        return self.seeds if self.repeat == "trials" else 1

    def completed(self) -> list[Trial]:
        """The trials that have been measured, in the order of their ids."""
        done = [t for t in self.trials.values() if t.status == TrialStatus.COMPLETED]
        return sorted(done, key=lambda trial: int(trial.trial_id))

    def hypervolume_history(self) -> list[float]:
        """The hypervolume after each completed trial; empty without a reference."""
        metrics = [_metrics(trial) for trial in self.completed()]
        return hypervolume_history(self.objectives, metrics, self.reference)

    def stop_reason(self) -> str | None:
        """Why the budget is used up, `None` while it is not."""
        if self.max_trials is not None and len(self.trials) >= self.max_trials:
            return f"{self.max_trials} trials"
        if self.max_hours is not None and self.elapsed >= 3600 * self.max_hours:
            return f"{self.max_hours:g} hours"
        if self.patience is None:
            return None  # a chief asks twice a second: no hypervolume for nothing
        history = self.hypervolume_history()
        if len(history) > self.patience:
            gain = history[-1] - history[-1 - self.patience]
            if gain <= self.min_gain * history[-1]:
                return f"{self.patience} trials without a gain in hypervolume"
        return None

    def next_values(self, number: int) -> dict[str, Value] | None:
        """The values of the trial with a number; `None` where all were tried."""
        proposal, repeat = divmod(number, self.each_seed)
        if repeat:
            first = self._numbered(number - repeat).hyperparameters.values
            return {**first, SEED: self.seed + repeat}
        space = Space(self.hyperparameters)
        if not space.size:
            raise ValueError(
                "`hypermodel` must ask for at least one hyperparameter with more than "
                "one value. Received: a search space without one."
            )
        own = {SEED: self.seed} if self.each_seed > 1 else {}
        observed = self.observations(space)
        for attempt in range(_ASKED):
            rng = np.random.default_rng([self.seed, number, attempt])
            point = self.sampler.propose(space, observed, proposal + attempt, rng)
            if point is None:
                return None
            values = {**space.decode(point), **own}
            if not self.tried(values):
                return values
        for _ in range(_DRAWN):
            values = {**space.decode(rng.random(space.size)), **own}
            if not self.tried(values):
                return values
        return None

    def observations(self, space: Space) -> Observations:
        """What the trials so far tell a sampler."""
        done = self.completed()
        broken = [t for t in self.trials.values() if t.status == TrialStatus.FAILED]
        known = self.reference
        limit = None if known is None else reference_losses(self.objectives, known)

        def points(trials: list[Trial]) -> Any:
            found = [space.encode(t.hyperparameters.values) for t in trials]
            return np.asarray(found, "float64").reshape(-1, space.size)

        return Observations(
            points=points(done),
            losses=losses(
                self.objectives, [_metrics(trial) for trial in done], self.reference
            ),
            reference=limit,
            pending=points(self.pending()),
            failed=points(broken),
        )

    def _numbered(self, number: int) -> Trial:
        return next(t for k, t in self.trials.items() if int(k) == number)

    def score_trial(self, trial: Trial) -> None:
        """Keras Tuner's single number, for its own displays: the first objective."""
        trial.score = _metrics(trial)[self.objectives[0].name]
        trial.best_step = 0
        if self.reference is None:
            self._take_reference(self.completed())  # this one among them

    def _take_reference(self, done: Sequence[Trial], *, at_once: bool = False) -> None:
        if len(done) >= self._needed() or (at_once and done):
            self.reference = tuple(
                o.start_reference([_metrics(trial)[o.name] for trial in done])
                for o in self.objectives
            )

    def _needed(self) -> int:
        return self.start or max(6, 2 * Space(self.hyperparameters).size + 2)

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """The trials on the frontier, the most accurate one first."""
        done = {trial.trial_id: trial for trial in self.completed()}
        front = read_search(self._project_dir).front if done else []
        return [done[t.trial] for t in reversed(front) if t.trial in done][:num_trials]

    def save(self) -> None:
        """Writes the state, and `search.json` for those who only read."""
        if self.stopped and self.reference is None:
            self._take_reference(self.completed(), at_once=True)
        super().save()
        write_json(pathlib.Path(self._project_dir) / SEARCH, self._described())

    def _described(self) -> Config:
        return {
            "schema": SCHEMA,
            "name": self._project_name,
            "objectives": [objective.to_dict() for objective in self.objectives],
            "reference": self.reference,
            "sampler": self.sampler_name,
            "seed": self.seed,
            "seeds": self.seeds,
            "repeat": self.repeat,
            "limits": {
                "max_trials": self.max_trials,
                "max_hours": self.max_hours,
                "patience": self.patience,
            },
            "elapsed": self.elapsed,
            "saved": time.time(),
            # Not while trials are under way: their workers would take it for the end.
            "stopped": None if self.pending() else self.stopped,
        }

    def reload(self) -> None:
        """As Keras Tuner's; refuses to go on with other objectives or seeds."""
        found = read_json(pathlib.Path(self._project_dir) / SEARCH) or {}
        ours = json.loads(json.dumps(self._described()))
        for name in ("objectives", "seed", "seeds", "repeat"):
            if found.get(name, ours[name]) != ours[name]:
                raise ValueError(
                    f"`{name}` must be that of the search to go on with in "
                    f"{self._project_dir}, {found[name]!r}. Received: {name}="
                    f"{ours[name]!r}. Remedy: another `project_name`, or "
                    "`overwrite=True`."
                )
        super().reload()
        reference = found.get("reference")
        self.reference = self.reference or (reference and tuple(reference))
        if self.reference is None:
            # A kill came after the trial that completed the start, before `save`.
            ended = [self.trials[k] for k in self.end_order]
            done = [t for t in ended if t.status == TrialStatus.COMPLETED]
            self._take_reference(done[: self._needed()])
        self.stopped = None  # the budget may have been raised


def _metrics(trial: Trial) -> dict[str, float]:
    names = trial.metrics.metrics
    return {name: float(trial.metrics.get_last_value(name)) for name in names}


def _limit(name: str, value: float | None) -> float | None:
    return None if value is None else real(name, value, above=0.0)
