"""Samplers: what proposes the next point of a search."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.tuner.samplers.base import Observations as Observations
from keras_ssp.tuner.samplers.base import Sampler as Sampler
from keras_ssp.tuner.samplers.base import get as get
from keras_ssp.tuner.samplers.base import name_of as name_of
from keras_ssp.tuner.samplers.base import names as names
from keras_ssp.tuner.samplers.base import register as register
from keras_ssp.tuner.samplers.ehvi import ExpectedHypervolume as ExpectedHypervolume
from keras_ssp.tuner.samplers.optuna import OptunaSampler as OptunaSampler
from keras_ssp.tuner.samplers.sequences import Halton as Halton
from keras_ssp.tuner.samplers.sequences import Sobol as Sobol
from keras_ssp.tuner.samplers.simple import Grid as Grid
from keras_ssp.tuner.samplers.simple import Random as Random

__all__ = _public_names(globals())
