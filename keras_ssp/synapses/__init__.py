"""Fan-out: which synapses a spike drives, layer by layer (psi)."""

from keras_ssp.synapses import routes, weights
from keras_ssp.synapses.analysis import Site, Synapses, Weighted, analyze
from keras_ssp.synapses.registry import (
    Rule,
    register_analogue,
    register_by_arguments,
    register_route,
    register_synapse,
    rule_for,
)
from keras_ssp.synapses.taps import Tap

__all__ = [
    "Rule",
    "Site",
    "Synapses",
    "Tap",
    "Weighted",
    "analyze",
    "register_analogue",
    "register_by_arguments",
    "register_route",
    "register_synapse",
    "routes",
    "rule_for",
    "weights",
]
