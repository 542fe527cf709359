"""What a budget is stated in, and how far a network is from it."""

from __future__ import annotations

import dataclasses
import math

from keras_ssp._checks import one_of, real
from keras_ssp._units import picojoules
from keras_ssp.energy import EnergyReport
from keras_ssp.tables import format_count, format_energy, format_share

PARTS = ("synaptic", "total")


@dataclasses.dataclass(frozen=True)
class Target:
    """A budget: a quantity of the energy report and the most it may be.

    Args:
        kind: `"energy"`, `"synops"` or `"rate"`.
        value: The budget: pJ per sample, SynOps per sample, or spikes per neuron and
            step.
        of: Of an energy: `"synaptic"`, what spikes cost, or `"total"`, with the
            analogue operations, which no penalty moves.
    """

    kind: str
    value: float
    of: str = "synaptic"

    @classmethod
    def from_arguments(
        cls,
        energy: str | float | None,
        synops: float | None,
        rate: float | None,
        of: str,
    ) -> Target:
        """The one target among the arguments of `EnergyBudget`.

        Raises:
            ValueError: If none or several are given, or one is out of its range.

        Example:

        >>> Target.from_arguments("50 nJ", None, None, "total")
        Target(kind='energy', value=50000.0, of='total')
        """
        given = {"energy": energy, "synops": synops, "rate": rate}
        stated = [name for name, value in given.items() if value is not None]
        if len(stated) != 1:
            shown = ", ".join(f"{k}={v!r}" for k, v in given.items())
            raise ValueError(
                "Exactly one of `energy`, `synops` and `rate` must be given. "
                f"Received: {shown}."
            )
        one_of("of", of, PARTS)
        kind = stated[0]
        if of != "synaptic" and kind != "energy":
            raise ValueError(
                "`of` must be left out unless the budget is an energy. "
                f"Received: of={of!r}, {kind}={given[kind]!r}."
            )
        if energy is not None:
            return cls(kind, picojoules("energy", energy), of)
        if synops is not None:
            return cls(kind, real("synops", synops, above=0.0))
        return cls(kind, real("rate", rate, above=0.0, high=1.0))

    def spent(self, report: EnergyReport) -> float:
        """How much of the budgeted quantity a network spends."""
        if self.kind == "synops":
            return report.synops
        if self.kind == "rate":
            return report.rate
        return report.synaptic_energy_pj if self.of == "synaptic" else report.energy_pj

    def fixed(self, report: EnergyReport) -> float:
        """The part of it that no spike decides."""
        if self.kind == "energy" and self.of == "total":
            return report.energy_pj - report.synaptic_energy_pj
        return report.input_synops if self.kind == "synops" else 0.0

    def check(self, report: EnergyReport) -> None:
        """Refuses a budget that no lambda can keep, or none can reach.

        Raises:
            ValueError: If it is not above what is spent without a single spike, or
                above what is spent if every neuron always fires.
        """
        fixed = self.fixed(report)
        if self.kind == "energy" and self.value <= fixed:
            raise ValueError(
                f"`energy` must be above {format_energy(fixed)}, what the analogue "
                "operations and the events of the data cost, which no penalty moves; "
                "or budget the rest with of='synaptic'. "
                f"Received: energy={format_energy(self.value)}."
            )
        if self.kind == "synops" and 0 < self.value <= fixed:
            raise ValueError(
                f"`synops` must be above {format_count(fixed)}, what the events of the "
                "data trigger, which no penalty moves. "
                f"Received: synops={self.value:g}."
            )
        most = math.fsum(row.dense for row in report.layers if row.spiking)
        if self.kind == "synops" and 0 < most < self.value:
            raise ValueError(
                f"`synops` must be at most {format_count(most)}, what the network "
                "spends if every neuron fires at every step. "
                f"Received: synops={self.value:g}."
            )

    def text(self, value: float) -> str:
        """A value of the budgeted quantity, readable."""
        if self.kind == "energy":
            return format_energy(value)
        if self.kind == "rate":
            return f"a rate of {format_share(value)}"
        return f"{format_count(value)} SynOps"
