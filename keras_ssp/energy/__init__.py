"""Energy: what operations cost, counting them, and the report."""

from keras_ssp.energy.hardware import EnergyModel, register_energy_model
from keras_ssp.energy.meter import energy_report, penalty_values
from keras_ssp.energy.report import EnergyReport, LayerReport

__all__ = [
    "EnergyModel",
    "EnergyReport",
    "LayerReport",
    "energy_report",
    "penalty_values",
    "register_energy_model",
]
