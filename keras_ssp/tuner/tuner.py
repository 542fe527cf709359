"""The tuner of a Pareto search: builds, trains and measures one trial after another."""

from __future__ import annotations

import copy
import os
import pathlib
import time
import traceback
from collections.abc import Sequence
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial

from keras_ssp._checks import positive_int
from keras_ssp.energy import hardware
from keras_ssp.energy.hardware import EnergyModelLike
from keras_ssp.training.folder import write_json
from keras_ssp.tuner import remote
from keras_ssp.tuner.hparams import write_hparams
from keras_ssp.tuner.objectives import DEFAULT, Objective
from keras_ssp.tuner.oracle import SEED, ParetoOracle
from keras_ssp.tuner.records import COMPLETED, FAILED, TrialRecord, mean_and_spread
from keras_ssp.tuner.results import SearchResults, read_search
from keras_ssp.tuner.samplers import Sampler
from keras_ssp.tuner.space import Value
from keras_ssp.tuner.trial import Measured, load_trial, measure, save_run
from keras_ssp.tuner.warm_start import warm_weights
from keras_ssp.types import Data, StrPath


class ParetoTuner(keras_tuner.Tuner):
    """Searches hyperparameters for the frontier of accuracy and energy.

    Every trial is trained in the same way, from scratch, and measured on the
    validation data in evaluation mode: the metrics that the model is compiled with, and
    energy, SynOps and spike rate. Its folder then holds `metrics.json`, `model.keras`,
    `energy.json` and `history.csv`, or `error.txt` with the traceback if it failed.

    What is measured, for the objectives to choose from: `val_` and the name of each
    metric, `val_synaptic_energy_pj`, `val_energy_pj`, `val_synops`, `val_spike_rate`
    per sample, `parameters`, `time_steps`, and `latency_ms` if it is an objective. A
    network that is silent, or no better than chance, is a bad point. One whose weights,
    loss or metrics are not finite is a failure, however little it spends.

    A search that was interrupted goes on when it is called again. With the environment
    variables of Keras Tuner's distributed mode (`KERASTUNER_TUNER_ID`,
    `KERASTUNER_ORACLE_IP`, `KERASTUNER_ORACLE_PORT`) the same program is the chief or a
    worker; chief and workers share the folder.

    Args:
        hypermodel: A function of `keras_tuner.HyperParameters` that returns a compiled
            model, a `keras_tuner.HyperModel`, or a `ConfigHyperModel`.
        objectives: As for `ParetoOracle`. Defaults to `"val_accuracy"` and
            `"val_synaptic_energy_pj"`.
        energy_model: As for `energy_report`. Defaults to `"cmos45"`.
        batch_size: Rows per batch where a trial is measured on arrays. Defaults to
            128.
        warm_start: Name of an ordered hyperparameter, such as the penalty's weight.
            Each trial then starts from the weights of the finished trial that is
            nearest in it, if the shapes of the weights are the same. Defaults to
            `None`: trials start from scratch, so that they had the same training.
        directory: Folder for the searches. Defaults to `"runs"`.
        project_name: Folder of this search within it. Defaults to `"pareto"`.
        overwrite: Whether to throw away what is there, instead of going on with it.
        recycle: Trials after which `search` of a worker returns, with `recycled` set,
            for its process to be started again: the memory of a process grows from
            trial to trial. Defaults to `None`: it stays to the end.
        oracle: A `ParetoOracle`, in place of the arguments that make one.
        **kwargs: As for `ParetoOracle`: `sampler`, `max_trials`, `max_hours`,
            `patience`, `seeds`, `repeat`, `seed`, `lease`, ...

    Raises:
        ValueError: As for `ParetoOracle`, or if the search to go on with has other
            objectives or seeds.

    Example:

    >>> def build(hp):
    ...     model = keras.Sequential([
    ...         keras.Input((4,)), keras.layers.Dense(8), DirectEncoding(2), LIF(),
    ...         keras.layers.Dense(3), RateReadout()])
    ...     weight = hp.Float("penalty_weight", 1e-4, 1.0, sampling="log")
    ...     penalize(model, SynapticPenalty(weight, normalize=True))
    ...     model.compile("adam", keras.losses.SparseCategoricalCrossentropy(
    ...         from_logits=True), metrics=["accuracy"])
    ...     return model
    >>> x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    >>> y = x[:, :3].argmax(axis=1)
    >>> tuner = ParetoTuner(build, max_trials=3)
    >>> tuner.search(x, y, validation_data=(x, y), epochs=2, verbose=0)
    >>> [trial.status for trial in tuner.results().trials]
    ['completed', 'completed', 'completed']
    """

    def __init__(
        self,
        hypermodel: Any,
        *,
        objectives: Sequence[str | Objective | Any] = DEFAULT,
        sampler: str | Sampler = "ehvi",
        energy_model: EnergyModelLike = "cmos45",
        batch_size: int = 128,
        warm_start: str | None = None,
        directory: StrPath = "runs",
        project_name: str = "pareto",
        overwrite: bool = False,
        recycle: int | None = None,
        oracle: ParetoOracle | None = None,
        **kwargs: Any,
    ) -> None:
        self.energy_model = hardware.get(energy_model)
        self.batch_size = positive_int("batch_size", batch_size)
        self.warm_start = warm_start
        self.recycle = positive_int("recycle", recycle, optional=True)
        self.recycled = False
        self._run_here = 0  # trials
        self.verbose = 1
        if oracle is None:
            oracle = ParetoOracle(objectives, sampler=sampler, **kwargs)
        self._searching = oracle  # what workers know of it
        super().__init__(
            oracle,
            hypermodel,
            directory=os.fspath(directory),
            project_name=project_name,
            overwrite=overwrite and not remote.is_worker(),
        )
        self._check_space()
        if remote.is_worker():
            remote.make_patient(self.oracle, pathlib.Path(self.project_dir))

    def _check_space(self) -> None:
        space = self._searching.get_space()
        names = [hp.name for hp in space.space]
        if self.warm_start is not None and self.warm_start not in names:
            raise ValueError(
                "`warm_start` must be the name of a hyperparameter, one of "
                f"{', '.join(map(repr, names))}. Received: warm_start="
                f"{self.warm_start!r}."
            )

    def search(self, *fit_args: Any, verbose: int = 1, **fit_kwargs: Any) -> None:
        """Runs trials until the budget is used up.

        Args:
            *fit_args: As for `fit`, which gets them.
            verbose: 1 prints a line for each trial, 2 the progress of its training
                too, 0 nothing.
            **fit_kwargs: As for `fit`, which gets them. `validation_data` must be
                among them, unless the hypermodel has data of its own.

        Raises:
            ValueError: If there are no validation data.
            RuntimeError: If no trial at all was completed, or the sampler failed.
        """
        self.verbose = verbose
        if self._validation(fit_kwargs) is None:
            raise ValueError(
                "`validation_data` must be given: trials are measured on them. "
                "Received: None."
            )
        if remote.is_chief():
            self.save()
            remote.serve(self.oracle, pathlib.Path(self.project_dir))
        else:
            try:
                super().search(*fit_args, **fit_kwargs)
            except remote.SearchIsOver:
                pass  # the chief ended while this worker was away
            except _Recycled:
                self.recycled = True
        if not remote.is_worker():
            self._judge()

    def _judge(self) -> None:
        """Says it where a search brought nothing."""
        if self._searching.failure:
            raise RuntimeError(f"The sampler failed:\n{self._searching.failure}")
        results = self.results()
        if results.trials and not results.completed:
            failed = results.trials[-1]
            raise RuntimeError(
                f"None of {len(results.trials)} trials was completed. The last one: "
                f"{failed.error} (see error.txt in {failed.folder})."
            )

    def results(self) -> SearchResults:
        """All trials so far, and the frontier that they make."""
        return read_search(self.project_dir)

    def on_search_begin(self) -> None:
        """Writes the state, so that an interrupted search is found from the start."""
        self.save()

    def save(self) -> None:
        """Writes the state; a kill leaves the old one or the new one."""
        if not remote.is_worker():  # which has none of its own
            self.oracle.save()
            write_json(pathlib.Path(self._get_tuner_fname()), self.get_state())

    def _get_tuner_fname(self) -> str:
        # A search that one process began, a chief may go on with, and the reverse.
        name = self.tuner_id if remote.is_worker() else "tuner0"
        return os.path.join(self.project_dir, f"{name}.json")

    def pre_create_trial(self) -> None:
        """As Keras Tuner's; the process of a worker ends after some trials."""
        if remote.is_worker() and self._run_here == self.recycle:
            raise _Recycled

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Trains and measures the networks of one trial; returns their mean metrics."""
        self._run_here += 1
        folder = pathlib.Path(self.get_trial_dir(trial.trial_id))
        seeds = self._seeds(trial)
        started = time.perf_counter()
        record = TrialRecord(
            trial=trial.trial_id,
            status=FAILED,
            values=_values(trial),
            seeds=seeds,
        )
        (folder / "error.txt").unlink(missing_ok=True)
        try:
            with remote.heartbeat(self.oracle, trial.trial_id, self._searching.lease):
                runs = [
                    self._run(trial, seed, folder / f"seed_{seed}", args, kwargs)
                    if len(seeds) > 1
                    else self._run(trial, seed, folder, args, kwargs)
                    for seed in seeds
                ]
            metrics, spread = mean_and_spread([run.metrics for run in runs])
            notes = tuple(dict.fromkeys(note for run in runs for note in run.notes))
            found: dict[str, Any] = {"metrics": metrics, "spread": spread}
        except (remote.SearchIsOver, remote.ChiefIsGone):
            raise  # not the trial's fault
        except Exception as error:
            text = traceback.format_exc()
            last = f"{type(error).__name__}: {error}".strip().splitlines()[0]
            if not remote.ended(self.oracle, trial.trial_id):
                (folder / "error.txt").write_text(text, encoding="utf-8")
                self._record(record, folder, started, status=FAILED, error=last)
            raise keras_tuner.errors.FailedTrialError(text) from error
        # Building it may have asked for hyperparameters that were not known before.
        found["values"] = _values(trial)
        if not remote.ended(self.oracle, trial.trial_id):
            found |= {"status": COMPLETED, "notes": notes}
            self._record(record, folder, started, **found)
        # Keras Tuner asks for its own sum of the objectives too.
        return {**metrics, self.oracle.objective.name: 0.0}

    def _seeds(self, trial: Trial) -> tuple[int, ...]:
        search = self._searching
        if search.each_seed > 1:
            return (int(trial.hyperparameters.values[SEED]),)
        return tuple(search.seed + k for k in range(search.seeds))

    def _run(
        self,
        trial: Trial,
        seed: int,
        folder: pathlib.Path,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Measured:
        keras.utils.set_random_seed(seed)
        hp = trial.hyperparameters
        hp.values[SEED] = seed  # for a hypermodel that has a seed of its own
        try:
            model = self.hypermodel.build(hp)
            if self.warm_start is not None:
                warm_weights(model, hp, self.warm_start, pathlib.Path(self.project_dir))
            fit = {"verbose": 1 if self.verbose > 1 else 0, **kwargs}
            if "callbacks" in fit:
                fit["callbacks"] = copy.deepcopy(fit["callbacks"])
            returned = self.hypermodel.fit(hp, model, *args, **fit)
            found = measure(
                model,
                self._validation(kwargs),
                returned,
                objectives=[o.name for o in self._searching.objectives],
                energy_model=self.energy_model,
                batch_size=self.batch_size,
            )
            if not remote.ended(self.oracle, trial.trial_id):
                save_run(folder, model, found)
        finally:
            if self._searching.each_seed == 1:
                del hp.values[SEED]
            keras.utils.clear_session()  # or Keras keeps every trial's graph
        return found

    def _validation(self, fit_kwargs: dict[str, Any]) -> Data | None:
        own = getattr(self.hypermodel, "validation_data", None)
        return own() if callable(own) else fit_kwargs.get("validation_data")

    def _record(
        self, record: TrialRecord, folder: pathlib.Path, started: float, **found: Any
    ) -> None:
        values = {**record.to_dict(), **found}
        values["seconds"] = round(time.perf_counter() - started, 2)
        write_json(folder / "metrics.json", values)
        ended = TrialRecord.from_dict(values, folder)
        write_hparams(ended, folder / "tensorboard")
        if self.verbose:
            names = [objective.name for objective in self._searching.objectives]
            print(ended.line(names), flush=True)

    def load_model(self, trial: Trial | TrialRecord) -> keras.Model:
        """The trained model of a trial; of several seeds, the most accurate one."""
        trial_id = trial.trial if isinstance(trial, TrialRecord) else trial.trial_id
        return load_trial(pathlib.Path(self.get_trial_dir(trial_id)))


class _Recycled(Exception):
    """The process of a worker has run its trials."""


def _values(trial: Trial) -> dict[str, Value]:
    return {k: v for k, v in trial.hyperparameters.values.items() if k != SEED}
