"""Fan-out: which synapses a spike drives, layer by layer (psi)."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.synapses import joins as _joins  # noqa: F401  (these register the
from keras_ssp.synapses import operations as _operations  # noqa: F401  rules of
from keras_ssp.synapses import products as _products  # noqa: F401  Keras' own layers
from keras_ssp.synapses import routes as _routes  # noqa: F401  and operations)
from keras_ssp.synapses import weights as _weights  # noqa: F401
from keras_ssp.synapses.analysis import analyze as analyze
from keras_ssp.synapses.maps import FanOut as FanOut
from keras_ssp.synapses.maps import FanOutMap as FanOutMap
from keras_ssp.synapses.maps import fan_out as fan_out
from keras_ssp.synapses.registry import Rule as Rule
from keras_ssp.synapses.registry import register_analogue as register_analogue
from keras_ssp.synapses.registry import register_by_arguments as register_by_arguments
from keras_ssp.synapses.registry import register_route as register_route
from keras_ssp.synapses.registry import register_synapse as register_synapse
from keras_ssp.synapses.registry import rule_for as rule_for
from keras_ssp.synapses.sites import Site as Site
from keras_ssp.synapses.sites import Synapses as Synapses
from keras_ssp.synapses.sites import Weighted as Weighted
from keras_ssp.synapses.taps import Tap as Tap
from keras_ssp.synapses.taps import uniform as uniform

__all__ = _public_names(globals())
