"""What the trials of a search say together: the frontier, and what to pick from it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from keras_ssp import pareto
from keras_ssp._picks import RULES, pick
from keras_ssp.tuner.objectives import ENERGIES, Objective, losses, reference_losses
from keras_ssp.tuner.records import (
    COMPLETED,
    FAILED,
    RUNNING,
    TrialRecord,
    read_trials,
)
from keras_ssp.types import Array, Config, Metrics, StrPath

SCHEMA = 1
SEARCH, TRIALS, FRONT = "search.json", "trials.csv", "front.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchResults:
    """All trials of a search, and what they say together.

    Args:
        name: Name of the search.
        objectives: Its objectives.
        reference: Their worst values that count, `None` until they are known.
        trials: The trials, in the order of their ids.
        limits: The budget: `max_trials`, `max_hours`, `patience`.
        sampler: Name of the sampler.
        seed: Seed of the search.
        elapsed: Seconds that it has run.
        stopped: Why it stopped, `None` while it runs.
        folder: Its folder.
    """

    name: str
    objectives: tuple[Objective, ...]
    reference: tuple[float, ...] | None
    trials: tuple[TrialRecord, ...]
    limits: Mapping[str, float | None] = dataclasses.field(default_factory=dict)
    sampler: str = ""
    seed: int = 0
    elapsed: float = 0.0
    stopped: str | None = None
    folder: pathlib.Path | None = None

    @property
    def directions(self) -> tuple[str, ...]:
        """`"min"` or `"max"` for each objective."""
        return tuple(objective.direction for objective in self.objectives)

    @property
    def completed(self) -> list[TrialRecord]:
        """The trials that have been measured."""
        return [trial for trial in self.trials if trial.status == COMPLETED]

    @property
    def counts(self) -> dict[str, int]:
        """How many trials are completed, failed and running."""
        return {
            status: sum(trial.status == status for trial in self.trials)
            for status in (COMPLETED, FAILED, RUNNING)
        }

    @property
    def front(self) -> list[TrialRecord]:
        """The trials that no other one dominates, by rising energy."""
        kept = pareto.non_dominated(self._values(), self.directions)
        found = [t for t, keep in zip(self.completed, kept, strict=True) if keep]
        return sorted(found, key=lambda t: t.metrics[self.cost.name])

    @property
    def quality(self) -> Objective:
        """The first objective that is to be maximised, else the first one."""
        return next((o for o in self.objectives if o.direction == "max"), self._first)

    @property
    def cost(self) -> Objective:
        """Of the others the first that is to be minimised, else the last one."""
        others = [o for o in self.objectives if o != self.quality]
        return next((o for o in others if o.direction == "min"), others[-1])

    @property
    def _first(self) -> Objective:
        return self.objectives[0]

    @property
    def hypervolume_history(self) -> list[float]:
        """The hypervolume after each completed trial, on the objectives' scales.

        With accuracy against energy its unit is accuracy times decades of energy.
        Empty until the reference is known.
        """
        return hypervolume_history(
            self.objectives, [t.metrics for t in self.completed], self.reference
        )

    def pick(self, which: str) -> TrialRecord:
        """Chooses one network of the frontier.

        Args:
            which: `"knee"`, after which more energy buys little; `"best"`, the most
                accurate; `"within=1.0"`, the cheapest that is at most so many points
                of accuracy below the best; `"budget=50nJ"`, the most accurate that
                spends no more; or the id of a trial.

        Raises:
            ValueError: If there is no such network, or `which` is another text.
        """
        if not self.completed:
            raise ValueError(
                f"`which` must be asked of a search with completed trials. Received: "
                f"which={which!r}, and none of {len(self.trials)} is completed."
            )
        energy = self.cost.name if self.cost.name in ENERGIES else ENERGIES[0]
        found = pick(which, self._points(self.cost.name), self._points(energy))
        if found is not None:
            return self.completed[found]
        for trial in self.completed:
            if which.isdigit() and int(trial.trial) == int(which):
                return trial
        raise ValueError(
            f"`which` must be {RULES.replace(' or ', ', ')} or the id of a completed "
            f"trial. Received: which={which!r}."
        )

    def _points(self, cost: str | None = None) -> list[pareto.Point]:
        name = cost or self.cost.name
        sign = 1.0 if self.quality.direction == "max" else -1.0  # of a loss
        return [
            (t.metrics.get(name, np.nan), sign * t.metrics[self.quality.name])
            for t in self.completed
        ]

    def _values(self) -> Array:
        rows = [
            [t.metrics.get(o.name, np.nan) for o in self.objectives]
            for t in self.completed
        ]
        return np.asarray(rows, "float64").reshape(-1, len(self.objectives))

    def to_dict(self) -> Config:
        """What `front.json` holds."""
        history = self.hypervolume_history
        return {
            "schema": SCHEMA,
            "name": self.name,
            "objectives": [
                {**o.to_dict(), "reference": r}
                for o, r in zip(
                    self.objectives,
                    self.reference or [o.reference for o in self.objectives],
                    strict=True,
                )
            ],
            "sampler": self.sampler,
            "seed": self.seed,
            "limits": dict(self.limits),
            "elapsed": self.elapsed,
            "stopped": self.stopped,
            "trials": self.counts,
            "hypervolume": history[-1] if history else None,
            "hypervolume_history": history,
            "knee": self._knee(),
            "front": [trial.to_dict() for trial in self.front],
        }

    def _knee(self) -> str | None:
        try:
            return self.pick("knee").trial
        except ValueError:
            return None  # nothing but networks that do not spike

    def csv(self) -> str:
        """The trials as CSV: hyperparameters and metrics a column each."""
        values = _ordered_names([t.values for t in self.trials])
        metrics = _ordered_names([t.metrics for t in self.trials])
        front = {trial.trial for trial in self.front}
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        head = ["trial", "status", "on_front", "seconds", "seeds", "error", "notes"]
        writer.writerow([*head, *(f"hp/{name}" for name in values), *metrics])
        for t in self.trials:
            seeds, notes = " ".join(map(str, t.seeds)), "; ".join(t.notes)
            on_front = int(t.trial in front)
            row = [t.trial, t.status, on_front, t.seconds, seeds, t.error, notes]
            row += [t.values.get(name, "") for name in values]
            row += [t.metrics.get(name, "") for name in metrics]
            writer.writerow(row)
        return stream.getvalue()


def hypervolume_history(
    objectives: Sequence[Objective],
    metrics: Sequence[Metrics],
    reference: Sequence[float] | None,
) -> list[float]:
    """The hypervolume after each trial; empty until the reference is known."""
    if reference is None:
        return []
    limit = reference_losses(objectives, reference)
    values = losses(objectives, metrics, reference)
    return [float(v) for v in pareto.hypervolume_history(values, limit)]


def read_search(folder: StrPath) -> SearchResults:
    """Reads a search from its folder; it may be under way.

    Args:
        folder: The folder of the search: `directory/project_name` of its tuner.

    Raises:
        FileNotFoundError: If there is no search in the folder.

    Example:

    >>> read_search("runs/nothing_here")
    Traceback (most recent call last):
    FileNotFoundError: `folder` must be the folder of a search...
    """
    path = pathlib.Path(folder)
    if not (path / SEARCH).is_file():
        raise FileNotFoundError(
            f"`folder` must be the folder of a search, with a {SEARCH}. Received: "
            f"folder={path}."
        )
    search = json.loads((path / SEARCH).read_text(encoding="utf-8"))
    reference = search["reference"]
    return SearchResults(
        name=search["name"],
        objectives=tuple(Objective(**o) for o in search["objectives"]),
        reference=None if reference is None else tuple(reference),
        trials=read_trials(path),
        limits=search["limits"],
        sampler=search["sampler"],
        seed=search["seed"],
        elapsed=search["elapsed"],
        stopped=search["stopped"],
        folder=path,
    )


def _ordered_names(rows: Sequence[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))
