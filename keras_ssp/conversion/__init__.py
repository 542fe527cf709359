"""Trained ReLU networks as networks of integrate-and-fire neurons."""

from keras_ssp.conversion.batch_norm import fold_batch_norm as fold_batch_norm
from keras_ssp.conversion.convert import convert as convert
