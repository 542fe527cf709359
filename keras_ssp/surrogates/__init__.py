"""Spike functions: a step forward, a surrogate derivative backward."""

from keras_ssp.surrogates.base import (
    Surrogate,
    deserialize,
    get,
    names,
    register,
    serialize,
)
from keras_ssp.surrogates.functions import (
    S2NN,
    ArcTan,
    FastSigmoid,
    Gaussian,
    MultiGaussian,
    PiecewiseExponential,
    Rectangle,
    Sigmoid,
    StraightThrough,
    Triangle,
)

__all__ = [
    "ArcTan",
    "FastSigmoid",
    "Gaussian",
    "MultiGaussian",
    "PiecewiseExponential",
    "Rectangle",
    "S2NN",
    "Sigmoid",
    "StraightThrough",
    "Surrogate",
    "Triangle",
    "deserialize",
    "get",
    "names",
    "register",
    "serialize",
]
