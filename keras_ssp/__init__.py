"""Spiking neural networks in Keras 3 that know what they cost."""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from keras_ssp import callbacks as callbacks
from keras_ssp import conversion as conversion
from keras_ssp import datasets as datasets
from keras_ssp import energy as energy
from keras_ssp import layers as layers
from keras_ssp import models as models
from keras_ssp import penalties as penalties
from keras_ssp import surrogates as surrogates
from keras_ssp import synapses as synapses
from keras_ssp import training as training
from keras_ssp import types as types
from keras_ssp._public import public_names as _public_names
from keras_ssp.callbacks import EnergyBudget as EnergyBudget
from keras_ssp.callbacks import EnergyMonitor as EnergyMonitor
from keras_ssp.callbacks import PenaltySchedule as PenaltySchedule
from keras_ssp.conversion import calibrate as calibrate
from keras_ssp.conversion import convert as convert
from keras_ssp.conversion import spiking as spiking
from keras_ssp.energy import EnergyModel as EnergyModel
from keras_ssp.energy import EnergyReport as EnergyReport
from keras_ssp.energy import compare_reports as compare_reports
from keras_ssp.energy import energy_report as energy_report
from keras_ssp.energy import penalty_values as penalty_values
from keras_ssp.energy import record as record
from keras_ssp.energy import register_energy_model as register_energy_model
from keras_ssp.layers import LIF as LIF
from keras_ssp.layers import BatchNormalization as BatchNormalization
from keras_ssp.layers import DirectEncoding as DirectEncoding
from keras_ssp.layers import EventFrames as EventFrames
from keras_ssp.layers import LatencyEncoding as LatencyEncoding
from keras_ssp.layers import PoissonEncoding as PoissonEncoding
from keras_ssp.layers import RateReadout as RateReadout
from keras_ssp.penalties import BalancedPenalty as BalancedPenalty
from keras_ssp.penalties import SpikeCountPenalty as SpikeCountPenalty
from keras_ssp.penalties import SpikePenalty as SpikePenalty
from keras_ssp.penalties import SynapticPenalty as SynapticPenalty
from keras_ssp.penalties import SynOpsTarget as SynOpsTarget
from keras_ssp.penalties import penalize as penalize
from keras_ssp.penalties import set_penalty_weight as set_penalty_weight
from keras_ssp.synapses import fan_out as fan_out
from keras_ssp.training import TrainConfig as TrainConfig
from keras_ssp.training import train as train

if _TYPE_CHECKING:
    from keras_ssp import events as events
    from keras_ssp import figures as figures
    from keras_ssp import pareto as pareto
    from keras_ssp import serving as serving
    from keras_ssp import studies as studies
    from keras_ssp import tuner as tuner
    from keras_ssp.serving import export as export
    from keras_ssp.serving import export_front as export_front

__version__ = "0.2.0"

_PACKAGES = (
    *("callbacks", "conversion", "datasets", "energy", "layers", "models"),
    *("penalties", "surrogates", "synapses", "training", "types"),
)
# What few programs need is imported when it is asked for: Keras Tuner, TensorFlow and
# the like take a while.
_LATER = ("events", "figures", "pareto", "serving", "studies", "tuner")
_SERVING = ("export", "export_front")


def __getattr__(name: str) -> _Any:
    if name in _LATER:
        return _importlib.import_module(f"keras_ssp.{name}")
    if name in _SERVING:
        return getattr(_importlib.import_module("keras_ssp.serving"), name)
    raise AttributeError(f"module 'keras_ssp' has no attribute {name!r}")


__all__ = sorted({*_public_names(globals()), *_PACKAGES})


def __dir__() -> list[str]:
    dunder = (name for name in globals() if name.startswith("__"))
    return [*dunder, *__all__, *_LATER, *_SERVING]
