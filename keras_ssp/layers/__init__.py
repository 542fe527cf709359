"""Layers that a user puts into a model."""

from keras_ssp.layers.encoding import (
    DirectEncoding,
    EventFrames,
    LatencyEncoding,
    PoissonEncoding,
)
from keras_ssp.layers.lif import LIF
from keras_ssp.layers.qcfs import QCFS
from keras_ssp.layers.readout import RateReadout

__all__ = [
    "LIF",
    "QCFS",
    "DirectEncoding",
    "EventFrames",
    "LatencyEncoding",
    "PoissonEncoding",
    "RateReadout",
]
