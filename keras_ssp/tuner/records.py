"""The trials that a search leaves on disk, a folder each."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_ssp.tables import format_energy
from keras_ssp.tuner.space import Value
from keras_ssp.types import Config, Metrics

COMPLETED, FAILED, RUNNING = "completed", "failed", "running"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial: the values it was given, and what was measured.

    Args:
        trial: Its id, a number with leading zeros.
        status: `"completed"`, `"failed"` or `"running"`.
        values: Hyperparameter name to value.
        metrics: Metric name to value, means of the trial's seeds; empty unless
            completed.
        spread: Metric name to sample standard deviation over the trial's seeds; empty
            with one seed.
        seconds: How long it took, `None` unless it ended.
        seeds: The seeds that it was trained with.
        error: Last line of the traceback in `error.txt`, `None` for no error.
        notes: What must be said of the network, such as its silent layers.
        folder: Its folder: `metrics.json`, `model.keras`, `energy.json`,
            `history.csv`, and `error.txt` if it failed.
    """

    trial: str
    status: str
    values: Mapping[str, Value]
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    spread: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seconds: float | None = None
    seeds: tuple[int, ...] = ()
    error: str | None = None
    notes: tuple[str, ...] = ()
    folder: pathlib.Path = pathlib.Path()

    def to_dict(self) -> Config:
        """The record as plain values, without its folder."""
        found = dataclasses.asdict(self)
        del found["folder"]
        return found

    @classmethod
    def from_dict(cls, values: Config, folder: pathlib.Path) -> TrialRecord:
        """Restores a record; names that a later version added are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        found = {name: value for name, value in values.items() if name in known}
        for name in ("seeds", "notes"):
            found[name] = tuple(found.get(name, ()))
        return cls(**{**found, "folder": folder})

    def line(self, names: Sequence[str]) -> str:
        """One line for a log: id, status, and the metrics of these names."""
        what = self.error
        if self.status == COMPLETED:
            what = ", ".join(f"{k} {_shown(k, self.metrics[k])}" for k in names)
        chosen = ", ".join(f"{k}={_shown(k, v)}" for k, v in self.values.items())
        notes = "".join(f"; {note}" for note in self.notes)
        took = "" if self.seconds is None else f" ({self.seconds:.1f} s)"
        return f"Trial {self.trial} {self.status}{took}: {what}{notes} [{chosen}]"


def _shown(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return format_energy(value) if name.endswith("_pj") else f"{value:.4g}"


def mean_and_spread(
    runs: Sequence[Metrics],
) -> tuple[dict[str, float], dict[str, float]]:
    """Means of the metrics over the seeds, and their sample standard deviations."""
    columns = {name: [run[name] for run in runs] for name in runs[0]}
    means = {name: float(np.mean(values)) for name, values in columns.items()}
    if len(runs) == 1:
        return means, {}
    spread = {name: float(np.std(v, ddof=1)) for name, v in columns.items()}
    return means, spread


def read_trials(folder: pathlib.Path) -> tuple[TrialRecord, ...]:
    """The trials in the folder of a search, in the order of their ids."""
    found = [_read_trial(file) for file in folder.glob("trial_*/trial.json")]
    return tuple(sorted(found, key=lambda trial: int(trial.trial)))


def _read_trial(file: pathlib.Path) -> TrialRecord:
    # Keras Tuner's file says how far the trial is; ours says what was measured.
    state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    status = {"COMPLETED": COMPLETED, "FAILED": FAILED}.get(state["status"], RUNNING)
    measured = file.with_name("metrics.json")
    if status != RUNNING and measured.is_file():
        values = json.loads(measured.read_text(encoding="utf-8"))
        return TrialRecord.from_dict({**values, "status": status}, file.parent)
    found = state["metrics"]["metrics"] if status == COMPLETED else {}
    return TrialRecord(
        trial=state["trial_id"],
        status=status,
        values=state["hyperparameters"]["values"],
        metrics={
            name: float(np.mean(metric["observations"][-1]["value"]))
            for name, metric in found.items()
        },
        error=state["message"],
        folder=file.parent,
    )
