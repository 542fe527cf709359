"""What the metrics of a search are called, and how they are written."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

from keras_ssp.tables import format_count, format_energy
from keras_ssp.tuner.records import TrialRecord
from keras_ssp.tuner.results import SearchResults
from keras_ssp.types import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metric:
    """How a metric is shown.

    Args:
        label: What an axis or a column calls it.
        write: A value as text.
        factor: What values are multiplied by on an axis: 100 for percentages.
        unit: Unit of an axis, behind its label.
        noun: What a sentence calls it. Defaults to the label.
    """

    label: str
    write: Callable[[float], str]
    factor: float = 1.0
    unit: str = ""
    noun: str = ""

    @property
    def axis(self) -> str:
        """The title of an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return self.noun or self.label


def percent(share: float) -> str:
    """A share as a percentage with two digits.

    Example:

    >>> percent(0.98765)
    '98.77 %'
    """
    return f"{100 * share:.2f} %"


def plain(value: object) -> str:
    """A hyperparameter or a number without a unit.

    Example:

    >>> plain(0.123456), plain("atan"), plain(True)
    ('0.1235', 'atan', 'True')
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


_METRICS = {
    "val_accuracy": Metric(
        label="validation accuracy",
        write=percent,
        factor=100,
        unit="%",
        noun="accuracy",
    ),
    "val_synaptic_energy_pj": Metric(
        label="synaptic energy per sample", write=format_energy, noun="synaptic energy"
    ),
    "val_energy_pj": Metric(
        label="energy per sample", write=format_energy, noun="energy"
    ),
    "val_synops": Metric(label="SynOps per sample", write=format_count, noun="SynOps"),
    "val_spike_rate": Metric(label="spike rate", write=percent, factor=100, unit="%"),
    "parameters": Metric(label="parameters", write=format_count),
    "time_steps": Metric(label="time steps", write=plain),
    "latency_ms": Metric(label="latency", write=lambda ms: f"{ms:.3g} ms", unit="ms"),
}


def metric(name: str) -> Metric:
    """How a metric is shown; one of a user's own, by its name.

    Example:

    >>> metric("val_synops").write(2.5e6), metric("mine").write(0.5)
    ('2.5 M', '0.5')
    """
    return _METRICS.get(name) or Metric(label=name, write=plain)


def with_spread(trial: TrialRecord, name: str) -> str:
    """A metric of a trial, with the standard deviation over its seeds."""
    found = metric(name)
    text = found.write(trial.metrics.get(name, math.nan))
    spread = trial.spread.get(name)
    return text if spread is None else f"{text} ± {found.write(spread)}"


def values_text(values: Mapping[str, object]) -> str:
    """Hyperparameters in one line.

    Example:

    >>> values_text({"weight": 0.3, "p": 1})
    'weight 0.3, p 1'
    """
    return ", ".join(f"{name} {plain(value)}" for name, value in values.items())


def finite(results: SearchResults) -> list[TrialRecord]:
    """The completed trials that have a place in a picture."""
    names = (results.quality.name, results.cost.name)
    return [
        trial
        for trial in results.completed
        if all(math.isfinite(trial.metrics.get(name, math.nan)) for name in names)
    ]


def knee_of(results: SearchResults) -> TrialRecord | None:
    """The knee, `None` where there is none: no trial yet, or none that spikes."""
    try:
        return results.pick("knee")
    except ValueError:
        return None


def reference_of(results: SearchResults) -> float | None:
    """The worst quality that counts, where the quality is to be maximised."""
    if results.reference is None or results.quality.direction != "max":
        return None
    return results.reference[results.objectives.index(results.quality)]


def worst_shown(results: SearchResults) -> float | None:
    """The worst quality that counts, as an axis has it: what is worse has no room."""
    worst = reference_of(results)
    return None if worst is None else worst * metric(results.quality.name).factor


def worth_counting(results: SearchResults) -> list[TrialRecord]:
    """The frontier without networks that are worse than the reference: they guess."""
    worst, name = reference_of(results), results.quality.name
    return [t for t in results.front if worst is None or t.metrics[name] > worst]


def points(results: SearchResults) -> list[Config]:
    """The trials as `keras_ssp.figures.frontier` draws them.

    A point also has its `trial`, for those who draw more.
    """
    cost, quality = results.cost.name, results.quality.name
    factor = metric(quality).factor
    front = {trial.trial for trial in results.front}
    knee = knee_of(results)
    return [
        {
            "cost": trial.metrics[cost],
            "quality": factor * trial.metrics[quality],
            "cost_std": trial.spread.get(cost, 0.0),
            "quality_std": factor * trial.spread.get(quality, 0.0),
            "front": trial.trial in front,
            "knee": knee is not None and trial.trial == knee.trial,
            "trial": trial,
        }
        for trial in finite(results)
    ]
