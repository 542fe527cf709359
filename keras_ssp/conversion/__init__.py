"""From networks of Keras to networks of spiking neurons, and a start for the latter."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.conversion.batch_norm import fold_batch_norm as fold_batch_norm
from keras_ssp.conversion.calibration import calibrate as calibrate
from keras_ssp.conversion.convert import convert as convert
from keras_ssp.conversion.swap import spiking as spiking

__all__ = _public_names(globals())
