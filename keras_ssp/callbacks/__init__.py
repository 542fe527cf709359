"""Callbacks: what the network costs, epoch by epoch, and ramps of lambda."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.callbacks.energy_monitor import EnergyMonitor as EnergyMonitor
from keras_ssp.callbacks.penalty_schedule import PenaltySchedule as PenaltySchedule

__all__ = _public_names(globals())
