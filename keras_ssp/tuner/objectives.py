"""What a search weighs against each other: accuracy, energy, and what else costs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_ssp._checks import did_you_mean, one_of, real
from keras_ssp.pareto import DIRECTIONS
from keras_ssp.types import Array, Config, Metrics

SCALES = ("linear", "log")
# On a logarithmic scale what is below this share of the reference counts as it: a
# network without spikes spends 0, which has no logarithm.
FLOOR = 1e-3
# An unset reference of what is maximised: the best start trial, less this share.
WORSE = 0.25


@dataclasses.dataclass(frozen=True)
class Objective:
    """One of the two or three objectives of a search.

    Args:
        name: A metric of the trials: `"val_accuracy"`, or another metric that the
            model is compiled with; `"val_synaptic_energy_pj"`, `"val_energy_pj"`
            (with the analogue operations), `"val_synops"`, `"val_spike_rate"` per
            sample; `"parameters"`, `"time_steps"`, `"latency_ms"` (the median time of
            a prediction for one sample); or what `HyperModel.fit` returns.
        direction: `"min"` or `"max"`. Defaults to what the names above have; another
            name must be given one.
        scale: `"linear"` or `"log"`, how its values are compared: energies, SynOps,
            parameters and latencies by their logarithm. On a logarithmic scale a
            value below a thousandth of the reference counts as that thousandth.
        reference: The worst value that counts: what is worse adds nothing to the
            hypervolume. Defaults to `None`: it is taken from the trials of the start
            and then stays (the largest value, for what is minimised; the best value
            less a quarter of it, for what is maximised).

    Raises:
        ValueError: If the direction cannot be known, or a value is not one of those
            that it may be.

    Example:

    >>> Objective("val_accuracy").direction, Objective("val_energy_pj").scale
    ('max', 'log')
    """

    name: str
    direction: str = ""
    scale: str = ""
    reference: float | None = None

    def __post_init__(self) -> None:
        direction, scale = _KNOWN.get(self.name, ("", "linear"))
        if not self.direction and not direction:
            raise ValueError(
                f"`direction` must be 'min' or 'max' for an objective that is none of "
                f"{', '.join(_KNOWN)}. Received: name={self.name!r}, direction=''."
                f"{did_you_mean(self.name, _KNOWN)}"
            )
        object.__setattr__(self, "direction", self.direction or direction)
        object.__setattr__(self, "scale", self.scale or scale)
        one_of("direction", self.direction, DIRECTIONS)
        one_of("scale", self.scale, SCALES)
        if self.reference is not None:
            above = 0.0 if self.scale == "log" else -math.inf
            real("reference", self.reference, above=above)

    def loss(self, values: Any, reference: float | None = None) -> Array:
        """Values on the objective's scale, to be minimised.

        Args:
            values: Numbers, of any shape.
            reference: The reference in force. Defaults to the objective's own.
        """
        found = np.asarray(values, "float64")
        if self.scale == "log":
            limit = self.reference if reference is None else reference
            floor = FLOOR * limit if limit else np.finfo("float64").tiny
            found = np.log10(np.maximum(found, floor))
        return found if self.direction == "min" else -found

    def start_reference(self, values: Sequence[float]) -> float:
        """The reference that the trials of the start give."""
        if self.reference is not None:
            return self.reference
        finite = [value for value in values if math.isfinite(value)]
        if self.direction == "max":
            return max(finite) - WORSE * abs(max(finite))
        return max(finite) if max(finite) > 0 or self.scale == "linear" else 1.0

    def to_dict(self) -> Config:
        """The objective as plain values."""
        return dataclasses.asdict(self)


# Direction and scale of what every trial measures.
_KNOWN: dict[str, tuple[str, str]] = {
    "val_accuracy": ("max", "linear"),
    "val_loss": ("min", "linear"),
    "val_synaptic_energy_pj": ("min", "log"),
    "val_energy_pj": ("min", "log"),
    "val_synops": ("min", "log"),
    "val_spike_rate": ("min", "log"),
    "parameters": ("min", "log"),
    "time_steps": ("min", "log"),
    "latency_ms": ("min", "log"),
}
DEFAULT = ("val_accuracy", "val_synaptic_energy_pj")
# The metrics that are energies, in pJ.
ENERGIES = ("val_synaptic_energy_pj", "val_energy_pj")


def objectives_of(objectives: Sequence[str | Objective | Any]) -> tuple[Objective, ...]:
    """Two or three objectives, each a name, an `Objective`, or Keras Tuner's.

    Raises:
        ValueError: If there are fewer or more, or one is given twice.

    Example:

    >>> [o.direction for o in objectives_of(["val_accuracy", "val_synops"])]
    ['max', 'min']
    """
    if isinstance(objectives, str | Objective):
        objectives = (objectives,)
    found = tuple(map(_objective, objectives))
    names = [objective.name for objective in found]
    if not 2 <= len(found) <= 3 or len(set(names)) < len(names):
        raise ValueError(
            "`objectives` must be two or three different ones. Received: "
            f"objectives={names}."
        )
    return found


def _objective(objective: str | Objective | Any) -> Objective:
    if isinstance(objective, Objective):
        return objective
    if isinstance(objective, str):
        return Objective(objective)
    return Objective(objective.name, objective.direction)  # keras_tuner.Objective


def reference_losses(
    objectives: Sequence[Objective], reference: Sequence[float]
) -> Array:
    """The worst values that count, as `(m,)` losses."""
    pairs = zip(objectives, reference, strict=True)
    return np.asarray([float(o.loss(r, r)) for o, r in pairs])


def losses(
    objectives: Sequence[Objective],
    metrics: Sequence[Metrics],
    reference: Sequence[float] | None,
) -> Array:
    """The objectives of trials as `(n, m)` losses, NaN for what was not measured."""
    limits: Sequence[float | None] = reference or [None] * len(objectives)
    return np.stack(
        [
            o.loss([m.get(o.name, math.nan) for m in metrics], limit)
            for o, limit in zip(objectives, limits, strict=True)
        ],
        axis=-1,
    ).reshape(-1, len(objectives))
