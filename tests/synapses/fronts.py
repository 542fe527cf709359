"""What stands before the spikes of a random network: inputs, data, MACs by hand."""

import keras
import numpy as np
from keras import layers

from keras_ssp.layers import DirectEncoding, EventFrames
from tests.synapses.stacks import touched

SHAPE = (4, 4, 2)
ROWS = 16  # of a picture that is read as a sequence, of 2 features each


class Convolution:
    """One convolution, once per image."""

    def __init__(self, rng, steps):
        self.inputs = keras.Input(SHAPE)
        self.layer = layers.Conv2D(2, 3, padding="same", name="stem")
        self.tensor = DirectEncoding(steps)(self.layer(self.inputs))

    def macs(self):
        copy = layers.Conv2D.from_config(self.layer.get_config())
        return touched(copy, SHAPE).sum()

    def data(self, rng, n):
        return rng.uniform(0, 3, (n, *SHAPE)).astype("float32")


class Attention(Convolution):
    """Self-attention over the pixels, after an embedding in as many features."""

    def __init__(self, rng, steps):
        self.inputs = keras.Input(SHAPE)
        self.heads, self.key, self.value = (int(n) for n in rng.integers(1, 4, 3))
        if keras.backend.backend() == "jax":
            self.value = self.key  # Keras refuses others there
        self.layer = layers.MultiHeadAttention(self.heads, self.key, self.value)
        x = layers.Reshape((ROWS, 2))(self.inputs)
        y = layers.Add()([x, self.layer(x, x)])
        self.tensor = DirectEncoding(steps)(layers.Reshape(SHAPE)(y))

    def macs(self):
        # Queries and keys, values and the output.
        projections = 2 * ROWS * (2 * self.key + 2 * self.value)
        products = ROWS * ROWS * (self.key + self.value)
        return self.heads * (projections + products)


class Recurrent(Convolution):
    """A recurrent layer over the pixels, row by row."""

    def __init__(self, rng, steps):
        self.inputs = keras.Input(SHAPE)
        kind = [layers.LSTM, layers.GRU, layers.SimpleRNN][int(rng.integers(3))]
        self.gates = {layers.LSTM: 4, layers.GRU: 3, layers.SimpleRNN: 1}[kind]
        self.layer = kind(2, return_sequences=True)
        y = self.layer(layers.Reshape((ROWS, 2))(self.inputs))
        self.tensor = DirectEncoding(steps)(layers.Reshape(SHAPE)(y + 1.0))

    def macs(self):
        return ROWS * self.gates * 2 * (2 + 2)


class MaskedFrames:
    """Counts of events, of several lengths: a mask says which steps hold data."""

    def __init__(self, rng, steps):
        self.steps = steps
        frames = keras.Input((steps, *SHAPE))
        self.inputs = [frames, keras.Input((steps,), dtype="bool")]
        self.tensor = EventFrames(name="frames")(frames, mask=self.inputs[1])

    def macs(self):
        return 0.0

    def data(self, rng, n):
        lengths = 1 + rng.integers(0, self.steps, n)
        mask = np.arange(self.steps) < lengths[:, None]
        return [rng.poisson(1.0, (n, self.steps, *SHAPE)).astype("float32"), mask]


FRONTS = (Convolution, Convolution, Attention, Recurrent, MaskedFrames)


def random_front(rng, steps):
    """One of `FRONTS`."""
    return FRONTS[int(rng.integers(len(FRONTS)))](rng, steps)
