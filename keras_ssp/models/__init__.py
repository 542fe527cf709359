"""Ready-made networks; each is a function that returns a plain Keras model."""

from keras_ssp.models.small_cnn import small_cnn

__all__ = ["small_cnn"]
