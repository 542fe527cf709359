"""What one spike and one synaptic operation cost, out of any energy model.

A graph that leaves Python cannot call an energy model, so the model is asked
beforehand: `E_l = constant + per_spike * spikes + per_synop * synops`.
"""

from __future__ import annotations

import dataclasses
import math

from keras_ssp.energy.counting import LayerFacts
from keras_ssp.energy.formulas import EnergyModel
from keras_ssp.types import Config

# Where the formula is compared with the energy model, as parts of the largest counts.
_PROBES = ((0.3, 0.7), (0.9, 0.2), (1.0, 1.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prices:
    """What a layer costs per sample, in pJ.

    Args:
        constant: Whatever happens.
        per_spike: For each spike of the layer.
        per_synop: For each synaptic operation.
    """

    constant: float = 0.0
    per_spike: float = 0.0
    per_synop: float = 0.0

    def energy(self, spikes: float, synops: float) -> float:
        """The energy of a layer, in pJ."""
        return self.constant + self.per_spike * spikes + self.per_synop * synops

    def to_dict(self) -> Config:
        """The prices as plain JSON types."""
        return dataclasses.asdict(self)


def prices_of(facts: LayerFacts, energy: EnergyModel) -> Prices:
    """The prices of a layer under an energy model.

    Args:
        facts: The layer.
        energy: The energy model.

    Returns:
        Its `Prices`.

    Raises:
        ValueError: If the model's energy is not a constant and a price per spike and
            per synaptic operation: the energy of single samples would not add up to
            that of the report, which prices mean counts.
    """

    def cost(spikes: float, synops: float) -> float:
        return float(energy.layer_energy(facts.counts(spikes, synops)))

    constant = cost(0.0, 0.0)
    if not facts.spiking:
        return Prices(constant=constant)
    # Far apart, so that a small price beside a large constant keeps its digits.
    spikes = float(facts.neurons * facts.time_steps)
    synops = facts.dense or 1.0
    found = Prices(
        constant=constant,
        per_spike=(cost(spikes, 0.0) - constant) / spikes,
        per_synop=(cost(0.0, synops) - constant) / synops,
    )
    for part, other in _PROBES:
        exact = cost(part * spikes, other * synops)
        formula = found.energy(part * spikes, other * synops)
        if not math.isclose(exact, formula, rel_tol=1e-6, abs_tol=1e-9):
            raise ValueError(
                "`energy_model` must price a layer by a constant, its spikes and its "
                "SynOps, each with a factor of its own, or single samples cannot be "
                f"priced. Received: {energy.name!r}, which is not linear in them for "
                f"layer '{facts.name}'."
            )
    return found
