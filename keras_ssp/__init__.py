"""Spiking neural networks in Keras 3 that know what they cost."""

from keras_ssp import (
    callbacks,
    conversion,
    datasets,
    energy,
    layers,
    models,
    surrogates,
    synapses,
)
from keras_ssp.energy import (
    EnergyModel,
    EnergyReport,
    energy_report,
    penalty_values,
    register_energy_model,
)
from keras_ssp.penalties import (
    BalancedPenalty,
    SpikeCountPenalty,
    SpikePenalty,
    SynapticPenalty,
    SynOpsTarget,
    penalize,
    set_penalty_weight,
)

__version__ = "0.1.0"

__all__ = [
    "BalancedPenalty",
    "EnergyModel",
    "EnergyReport",
    "SpikeCountPenalty",
    "SpikePenalty",
    "SynOpsTarget",
    "SynapticPenalty",
    "callbacks",
    "conversion",
    "datasets",
    "energy",
    "energy_report",
    "layers",
    "models",
    "penalize",
    "penalty_values",
    "register_energy_model",
    "set_penalty_weight",
    "surrogates",
    "synapses",
]
