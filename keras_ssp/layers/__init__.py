"""Layers that a user puts into a model, and the base to build neurons on."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.kernels import Dynamics as Dynamics
from keras_ssp.layers.batch_normalization import (
    BatchNormalization as BatchNormalization,
)
from keras_ssp.layers.encoding import DirectEncoding as DirectEncoding
from keras_ssp.layers.encoding import Encoding as Encoding
from keras_ssp.layers.encoding import LatencyEncoding as LatencyEncoding
from keras_ssp.layers.encoding import PoissonEncoding as PoissonEncoding
from keras_ssp.layers.frames import EventFrames as EventFrames
from keras_ssp.layers.lif import LIF as LIF
from keras_ssp.layers.neurons import get_neuron as get_neuron
from keras_ssp.layers.neurons import neuron_names as neuron_names
from keras_ssp.layers.neurons import register_neuron as register_neuron
from keras_ssp.layers.qcfs import QCFS as QCFS
from keras_ssp.layers.readout import RateReadout as RateReadout
from keras_ssp.layers.spiking import SpikingLayer as SpikingLayer
from keras_ssp.layers.spiking import neuron_arguments as neuron_arguments

__all__ = _public_names(globals())
