"""The penalty family, and `penalize`, which puts one on a model."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.penalties.binding import penalize as penalize
from keras_ssp.penalties.binding import set_penalty_weight as set_penalty_weight
from keras_ssp.penalties.family import BalancedPenalty as BalancedPenalty
from keras_ssp.penalties.family import SpikeCountPenalty as SpikeCountPenalty
from keras_ssp.penalties.family import SpikePenalty as SpikePenalty
from keras_ssp.penalties.family import SynapticPenalty as SynapticPenalty
from keras_ssp.penalties.family import SynOpsTarget as SynOpsTarget
from keras_ssp.penalties.family import get as get
from keras_ssp.penalties.family import names as names
from keras_ssp.penalties.family import register as register

__all__ = _public_names(globals())
