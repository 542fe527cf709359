"""An oracle that survives: killed workers, a killed chief, results that come twice.

All that this package touches of Keras Tuner's private names is here and in `locking`;
`tests/tuner/test_durable.py` holds them to what is assumed of them here.
"""

from __future__ import annotations

import pathlib
import sys
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from keras_ssp._checks import real
from keras_ssp.training.folder import write_json
from keras_ssp.tuner.locking import synchronized
from keras_ssp.tuner.space import Value
from keras_ssp.types import Config

_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
# Seconds between two looks of a chief that are no longer its usual half a second.
_MISSED = 2.0
# Times that a chief lends one trial: one that kills its worker each time is a failure.
_LENT = 5


class DurableOracle(keras_tuner.Oracle):
    """Keras Tuner's oracle with leases, atomic files, and an end.

    A trial is lent to a worker: a worker that is not heard from for `lease` seconds
    has lost it, and another one runs it. A worker is heard from whenever it asks for
    the trial that it runs (`get_trial`), which `ParetoTuner` does all the time.
    When the budget is handed out but trials are still under way, workers that ask for
    more wait (`IDLE`), so that somebody is there to run what is lost.

    Args:
        lease: Seconds, above 0. Defaults to 60.
        **kwargs: As for `keras_tuner.Oracle`.
    """

    # What the base class keeps, by trial id and by worker.
    trials: dict[str, Trial]
    ongoing_trials: dict[str, Trial]
    start_order: list[str]
    end_order: list[str]
    _retry_queue: list[str]
    _tried_so_far: set[str]

    def __init__(self, *, lease: float = 60.0, seed: int = 0, **kwargs: Any) -> None:
        # Failures are for `ParetoOracle` to judge: what the base class raises within
        # a locked method leaves the lock taken.
        super().__init__(seed=seed, max_consecutive_failed_trials=sys.maxsize, **kwargs)
        self.seed = self._seed_state = seed  # the base class takes 0 for none
        self.lease = real("lease", lease, above=0.0)
        self.stopped: str | None = None
        self.failure: str | None = None  # traceback of what broke in here
        self._heard: dict[str, float] = {}  # trial id to time
        self._asked: dict[str, float] = {}  # worker to time
        # When a chief looked last whether all is over; `None` without a chief.
        self._looked: float | None = None
        self._spent = 0.0  # seconds, by earlier processes
        self._started = time.monotonic()
        self._lent: dict[str, str] = {}  # worker to trial id, as the file has them
        self._times: Counter[str] = Counter()  # that a trial was lent
        self._display.verbose = 0

    # What subclasses say.

    def stop_reason(self) -> str | None:
        """Why no further trial is to start, `None` while there is to be one."""
        raise NotImplementedError

    def next_values(self, number: int) -> dict[str, Value] | None:
        """The values of trial `number`, `None` where there are no more."""
        raise NotImplementedError

    @property
    def elapsed(self) -> float:
        """Seconds that the search has run, in all its processes."""
        return self._spent + time.monotonic() - self._started

    # Trials are lent and come back.

    @synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """As Keras Tuner's; takes back what dead workers held."""
        trial = self._lend(tuner_id)
        while self._looked is not None and self._times[trial.trial_id] >= _LENT:
            self._give_up(trial)
            trial = self._lend(tuner_id)
        if trial.status == TrialStatus.RUNNING:
            self._times[trial.trial_id] += 1
        return trial

    def _give_up(self, trial: Trial) -> None:
        trial.status = TrialStatus.FAILED
        trial.message = f"begun {_LENT} times, and each time its worker died"
        folder = pathlib.Path(self._get_trial_dir(trial.trial_id))
        (folder / "error.txt").write_text(f"{trial.message}\n", encoding="utf-8")
        self.end_trial(trial)

    def _lend(self, tuner_id: str) -> Trial:
        self._asked[tuner_id] = time.monotonic()
        if self._looked is None:  # a chief does it all the time
            self.reap()
        held = self.ongoing_trials.get(tuner_id)
        if held is not None:  # it was restarted, or the answer was lost on the way
            held.metrics = type(held.metrics)()
            self._heard[held.trial_id] = time.monotonic()
            return held
        if not self._retry_queue:
            self.stopped = self.stopped or self.stop_reason()
            if self.stopped:
                return self._no_trial(tuner_id)
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.RUNNING:
            self._heard[trial.trial_id] = time.monotonic()
        elif trial.status == TrialStatus.STOPPED:  # there were no more values
            return self._no_trial(tuner_id)
        return trial

    def populate_space(self, trial_id: str) -> Config:
        """As Keras Tuner's; never raises, as the lock would stay taken."""
        try:
            values = self.next_values(int(trial_id))
        except Exception:
            self.failure = traceback.format_exc()
            self.stopped = "the sampler failed"
            values = None
        if values is None:
            self.stopped = self.stopped or "all values were tried"
            return {"status": TrialStatus.STOPPED}
        return {"status": TrialStatus.RUNNING, "values": values}

    def _no_trial(self, tuner_id: str) -> Trial:
        status = TrialStatus.STOPPED
        if self.ongoing_trials or self._retry_queue:
            status = TrialStatus.IDLE
        else:
            self.tuner_ids.discard(tuner_id)
            self._asked.pop(tuner_id, None)
            self.save()
        return Trial(self.get_space(), trial_id="", status=status)

    def get_trial(self, trial_id: str) -> Trial:
        """As Keras Tuner's; whoever asks for a trial is running it."""
        self._heard[trial_id] = time.monotonic()
        return super().get_trial(trial_id)

    @synchronized
    def update_trial(
        self, trial_id: str, metrics: Mapping[str, float], step: int = 0
    ) -> Trial:
        """As Keras Tuner's; a trial that has ended keeps its result."""
        trial = self.trials[trial_id]
        if trial_id in self.end_order:
            return trial
        for name, direction in self._directions().items():
            if not trial.metrics.exists(name):
                trial.metrics.register(name, direction)
        return super().update_trial(trial_id, metrics, step=step)

    def _directions(self) -> dict[str, str]:
        # The base class forgets the directions of a list of objectives.
        found = getattr(self.objective, "objectives", [self.objective])
        return {objective.name: objective.direction for objective in found}

    @synchronized
    def end_trial(self, trial: Trial) -> None:
        """As Keras Tuner's; of two workers that ran one trial, the first one counts."""
        trial_id = trial.trial_id
        if self._metrics_are_gone(trial):
            return
        if trial_id not in self.end_order:
            # Taken from its worker, who was only slow.
            self._retry_queue = [k for k in self._retry_queue if k != trial_id]
            super().end_trial(trial)
        for tuner_id in self._workers_of(trial_id):
            self.ongoing_trials.pop(tuner_id)
        self.save()

    def _metrics_are_gone(self, trial: Trial) -> bool:
        # A worker went silent between its metrics and this; another one has the trial.
        known = self.trials[trial.trial_id].metrics
        return trial.status == TrialStatus.COMPLETED and not all(
            known.exists(name) for name in self._directions()
        )

    def _workers_of(self, trial_id: str) -> list[str]:
        ongoing = self.ongoing_trials.items()
        return [worker for worker, trial in ongoing if trial.trial_id == trial_id]

    def reap(self) -> None:
        """Takes back the trials of workers that have not been heard from."""
        limit = time.monotonic() - self.lease
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if self._heard.setdefault(trial.trial_id, time.monotonic()) < limit:
                print(
                    f"Trial {trial.trial_id}: nothing heard of worker {tuner_id} for "
                    f"{self.lease:g} s; another one will run it.",
                    flush=True,
                )
                del self.ongoing_trials[tuner_id]
                self.tuner_ids.discard(tuner_id)
                self._asked.pop(tuner_id, None)
                self._queue(trial)
                self.save()
        for tuner_id, asked in list(self._asked.items()):
            if asked < limit and tuner_id not in self.ongoing_trials:
                self.tuner_ids.discard(tuner_id)
                del self._asked[tuner_id]

    def _queue(self, trial: Trial) -> None:
        trial.metrics = type(trial.metrics)()  # of a worker that died before the end
        trial.status = TrialStatus.RUNNING
        if trial.trial_id not in self._retry_queue:
            self._retry_queue.append(trial.trial_id)

    @synchronized
    def finished(self) -> bool:
        """Whether there is nothing left to run, and nothing is under way.

        A chief asks twice a second. What it missed while it stood still itself, or was
        busy with a sampler, is no fault of its workers.
        """
        now = time.monotonic()
        missed = 0.0 if self._looked is None else now - self._looked
        self._looked = now
        if missed > _MISSED:
            self._heard = {k: heard + missed for k, heard in self._heard.items()}
            self._asked = {k: asked + missed for k, asked in self._asked.items()}
        self.reap()
        if self.ongoing_trials or self._retry_queue:
            return False
        self.stopped = self.stopped or self.stop_reason()
        return self.stopped is not None

    def waiting(self) -> bool:
        """Whether there are workers that have not been told of the end."""
        return bool(self._asked)

    # Files: whole or not at all, and mended when they are read.

    def save(self) -> None:
        """Writes the state; a kill leaves the old one or the new one."""
        write_json(pathlib.Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Trial) -> None:
        folder = pathlib.Path(self._get_trial_dir(trial.trial_id))
        write_json(folder / "trial.json", trial.get_state())

    def get_state(self) -> Config:
        return {
            **super().get_state(),
            "elapsed": self.elapsed,
            "failure": self.failure,
            "times": dict(self._times),
        }

    def set_state(self, state: Config) -> None:
        super().set_state(state)
        self._spent = state.get("elapsed", 0.0)
        self._started = time.monotonic()
        self._lent = dict(state["ongoing_trials"])
        self._times = Counter(state.get("times", {}))

    def reload(self) -> None:
        """Reads the state and the trials, and makes the two agree.

        A kill may have come between the writing of one and of the other.
        """
        super().reload()
        ids = sorted(self.trials, key=int)
        self.trials = {trial_id: self.trials[trial_id] for trial_id in ids}
        ended = [k for k in ids if self.trials[k].status in _ENDED]
        self.end_order = list(dict.fromkeys([*self.end_order, *ended]))
        self.end_order = [k for k in self.end_order if k in ended]
        self.start_order = list(dict.fromkeys([*self.start_order, *ids]))
        # The base class takes all trials from their workers; those may be alive.
        self.ongoing_trials = {
            worker: self.trials[k]
            for worker, k in self._lent.items()
            if k in self.trials and k not in ended
        }
        lent = {trial.trial_id for trial in self.ongoing_trials.values()}
        self._retry_queue = []
        for k in ids:
            if k not in ended and k not in lent:
                self._queue(self.trials[k])
        self._heard = dict.fromkeys(lent, time.monotonic())
        self._asked = dict.fromkeys(self.ongoing_trials, time.monotonic())
        self.tuner_ids = set(self.ongoing_trials)
        self._tried_so_far = set()
        self._id_to_hash.clear()
        for trial in self.trials.values():
            self._record_values(trial)

    def tried(self, values: Mapping[str, Value]) -> bool:
        """Whether a trial has had these values."""
        filled = self.hyperparameters.copy()
        filled.values = dict(values)
        filled.ensure_active_values()
        return bool(self._duplicate(filled.values))

    def pending(self) -> list[Trial]:
        """The trials that are under way, or are to be run again."""
        queued = [self.trials[trial_id] for trial_id in self._retry_queue]
        found = [*self.ongoing_trials.values(), *queued]
        return sorted(found, key=lambda trial: int(trial.trial_id))
