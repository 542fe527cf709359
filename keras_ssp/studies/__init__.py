"""Studies: a grid of trainings, run once, compared at equal accuracy."""

from keras_ssp.studies.grid import Study
from keras_ssp.studies.runner import compare

__all__ = ["Study", "compare"]
