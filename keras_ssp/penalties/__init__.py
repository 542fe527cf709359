"""The penalty family, and `penalize`, which puts one on a model."""

from keras_ssp.penalties.binding import penalize, set_penalty_weight
from keras_ssp.penalties.family import (
    BalancedPenalty,
    SpikeCountPenalty,
    SpikePenalty,
    SynapticPenalty,
    SynOpsTarget,
)

__all__ = [
    "BalancedPenalty",
    "SpikeCountPenalty",
    "SpikePenalty",
    "SynOpsTarget",
    "SynapticPenalty",
    "penalize",
    "set_penalty_weight",
]
