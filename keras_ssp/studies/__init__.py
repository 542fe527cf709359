"""Studies: a grid of trainings, run once, compared at equal accuracy."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.studies.grid import Study
from keras_ssp.studies.runner import compare

__all__ = ["Study", "compare"]

__all__ = _public_names(globals())
