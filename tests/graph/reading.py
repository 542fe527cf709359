"""What the tests of `keras_ssp/graph/keras_private.py` compare of a traced model."""

import keras
import numpy as np
from keras import layers

X, Y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")


class Subclassed(keras.Model):
    def __init__(self, inner=None):
        super().__init__(name="mine")
        self.inner = layers.Dense(1) if inner is None else inner

    def call(self, x):
        return self.inner(x)


def names(found):
    return [call.name for call in found.calls]


def links(found):
    """Each call's name with the names of the calls that it reads from."""
    producers = found.producers()
    source = {edge: f"input {k}" for k, edge in enumerate(found.inputs)}
    source |= {edge: f"{c.name}[{k}]" for edge, (c, k) in producers.items()}
    return {
        f"{c.name}:{c.index}": [source[edge].removesuffix("[0]") for edge in c.inputs]
        for c in found.calls
    }
