"""Pareto search inside Keras Tuner: the frontier of accuracy and energy."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.tuner import samplers as samplers
from keras_ssp.tuner.config import ConfigHyperModel as ConfigHyperModel
from keras_ssp.tuner.config import Range as Range
from keras_ssp.tuner.objectives import Objective as Objective
from keras_ssp.tuner.oracle import ParetoOracle as ParetoOracle
from keras_ssp.tuner.records import TrialRecord as TrialRecord
from keras_ssp.tuner.results import SearchResults as SearchResults
from keras_ssp.tuner.results import read_search as read_search
from keras_ssp.tuner.samplers import Observations as Observations
from keras_ssp.tuner.samplers import Sampler as Sampler
from keras_ssp.tuner.space import Space as Space
from keras_ssp.tuner.tuner import ParetoTuner as ParetoTuner

__all__ = sorted({*_public_names(globals()), "samplers"})
