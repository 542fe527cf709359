"""Spike functions: a step forward, a surrogate derivative backward."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.surrogates.base import Surrogate as Surrogate
from keras_ssp.surrogates.base import SurrogateLike as SurrogateLike
from keras_ssp.surrogates.base import deserialize as deserialize
from keras_ssp.surrogates.base import get as get
from keras_ssp.surrogates.base import names as names
from keras_ssp.surrogates.base import register as register
from keras_ssp.surrogates.base import serialize as serialize
from keras_ssp.surrogates.functions import S2NN as S2NN
from keras_ssp.surrogates.functions import ArcTan as ArcTan
from keras_ssp.surrogates.functions import FastSigmoid as FastSigmoid
from keras_ssp.surrogates.functions import Gaussian as Gaussian
from keras_ssp.surrogates.functions import MultiGaussian as MultiGaussian
from keras_ssp.surrogates.functions import PiecewiseExponential as PiecewiseExponential
from keras_ssp.surrogates.functions import Rectangle as Rectangle
from keras_ssp.surrogates.functions import Sigmoid as Sigmoid
from keras_ssp.surrogates.functions import StraightThrough as StraightThrough
from keras_ssp.surrogates.functions import Triangle as Triangle

__all__ = _public_names(globals())
