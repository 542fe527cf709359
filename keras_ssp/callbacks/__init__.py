"""Callbacks: what the network costs, budgets, ramps of lambda, silent layers."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.callbacks.energy_budget import EnergyBudget as EnergyBudget
from keras_ssp.callbacks.energy_monitor import EnergyMonitor as EnergyMonitor
from keras_ssp.callbacks.penalty_schedule import PenaltySchedule as PenaltySchedule
from keras_ssp.callbacks.silence_guard import SilenceGuard as SilenceGuard
from keras_ssp.callbacks.spike_images import SpikeImages as SpikeImages

__all__ = _public_names(globals())
