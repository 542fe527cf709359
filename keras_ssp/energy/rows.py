"""One row of the energy report."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from keras_ssp.energy.formulas import non_negative

KINDS = ("lif", "encoding", "analogue")
SATURATED_RATE = 0.95

_DERIVED = math.nan  # "work it out from the other fields"


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """What one layer does and costs, per sample, averaged over the data.

    Args:
        name: Name of the layer.
        kind: `"lif"`, `"encoding"` (an encoding layer that emits spikes) or
            `"analogue"` (synapses driven by analogue values).
        neurons: Neurons of the layer.
        time_steps: T.
        energy_pj: Energy, in pJ.
        spikes: Spikes.
        rate: Spikes per neuron and step, in [0, 1]. Defaults to
            `spikes / (neurons * time_steps)`.
        fan_out: Mean number of synapses that leave a neuron.
        synops: Accumulates executed.
        macs: Multiply-accumulates executed.
        dense: Operations if every input of the layer's synapses were non-zero.
        share: Part of the network's energy. Set by `EnergyReport`.
        silent_neurons: Neurons that never fired on the data, if counted.
        flags: Warnings in one word. `"silent"` (a spiking layer without a spike) and
            `"saturated"` (a rate of 0.95 or more) are added by themselves.
        notes: Remarks on how the layer was counted.
        penalty: Omega_l without the weight lambda, if the layer is penalised.
        penalty_share: Part of the summed penalty. Set by `EnergyReport`.

    Raises:
        ValueError: If `kind` is unknown, a number is negative or not finite, or the
            rate is above 1.
    """

    name: str
    kind: str
    neurons: int
    time_steps: int
    energy_pj: float
    spikes: float = 0.0
    rate: float = _DERIVED
    fan_out: float = 0.0
    synops: float = 0.0
    macs: float = 0.0
    dense: float = 0.0
    share: float = 0.0
    silent_neurons: int | None = None
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    penalty: float | None = None
    penalty_share: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(
                f"`kind` must be one of {KINDS}. Received: kind={self.kind!r}."
            )
        for name in ("neurons", "time_steps"):
            self._set(name, int(non_negative(name, getattr(self, name))))
        slots = self.neurons * self.time_steps
        if math.isnan(self.rate):
            self._set("rate", self.spikes / slots if slots else 0.0)
        for name in _FLOATS:
            self._set(name, non_negative(name, getattr(self, name)))
        if self.rate > 1 + 1e-6:  # float32 sums may overshoot a little
            raise ValueError(
                "`rate` must be in [0, 1]. "
                f"Received: rate={self.rate!r} in layer {self.name!r}."
            )
        self._set("rate", min(self.rate, 1.0))
        for name in ("penalty", "penalty_share"):
            if getattr(self, name) is not None:
                self._set(name, non_negative(name, getattr(self, name)))
        if self.silent_neurons is not None:
            count = int(non_negative("silent_neurons", self.silent_neurons))
            self._set("silent_neurons", count)
        self._set("flags", tuple(dict.fromkeys((*self._own_flags(), *self.flags))))
        self._set("notes", tuple(self.notes))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _own_flags(self) -> tuple[str, ...]:
        if not self.spiking or not self.neurons:
            return ()
        if self.spikes == 0:
            return ("silent",)
        return ("saturated",) if self.rate >= SATURATED_RATE else ()

    @property
    def spiking(self) -> bool:
        """Whether the layer drives its synapses with spikes."""
        return self.kind != "analogue"

    def to_dict(self) -> dict[str, Any]:
        """Returns the row as plain JSON types, counts under NeuroBench's names."""
        row = {
            _FILE_NAMES.get(field.name, field.name): getattr(self, field.name)
            for field in fields(self)
        }
        row |= {"flags": list(self.flags), "notes": list(self.notes)}
        return row | {"Effective_ACs": self.synops}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "LayerReport":
        """Builds a row from what `to_dict` returned."""
        names = {written: name for name, written in _FILE_NAMES.items()}
        return cls(
            **{names.get(k, k): v for k, v in row.items() if k != "Effective_ACs"}
        )


_FLOATS = (
    *("energy_pj", "spikes", "rate", "fan_out", "synops"),
    *("macs", "dense", "share"),
)
#: Names in files where they are not the attribute's.
_FILE_NAMES = {"macs": "Effective_MACs", "dense": "Dense"}


def with_shares(layers: Iterable[LayerReport]) -> tuple[LayerReport, ...]:
    """Returns the rows with their parts of the summed energy and penalty."""
    rows = tuple(layers)
    energy = math.fsum(row.energy_pj for row in rows)
    penalty = math.fsum(row.penalty or 0.0 for row in rows)
    return tuple(
        replace(
            row,
            share=row.energy_pj / energy if energy else 0.0,
            penalty_share=(
                None
                if row.penalty is None
                else row.penalty / penalty
                if penalty
                else 0.0
            ),
        )
        for row in rows
    )
