"""Energy: what operations cost, counting them, and the report."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.energy.comparison import ReportComparison as ReportComparison
from keras_ssp.energy.comparison import compare_reports as compare_reports
from keras_ssp.energy.hardware import EnergyModel as EnergyModel
from keras_ssp.energy.hardware import EnergyModelLike as EnergyModelLike
from keras_ssp.energy.hardware import LayerCounts as LayerCounts
from keras_ssp.energy.hardware import MemoryEnergyModel as MemoryEnergyModel
from keras_ssp.energy.hardware import (
    NeuromorphicEnergyModel as NeuromorphicEnergyModel,
)
from keras_ssp.energy.hardware import get as get
from keras_ssp.energy.hardware import names as names
from keras_ssp.energy.hardware import register_energy_model as register_energy_model
from keras_ssp.energy.measure import energy_report as energy_report
from keras_ssp.energy.measure import penalty_values as penalty_values
from keras_ssp.energy.meter import EnergyMeter as EnergyMeter
from keras_ssp.energy.recording import Recording as Recording
from keras_ssp.energy.recording import record as record
from keras_ssp.energy.report import EnergyReport as EnergyReport
from keras_ssp.energy.report import LayerReport as LayerReport

__all__ = _public_names(globals())
