"""A small network and a small problem, quick enough to be trained many times."""

import keras
import numpy as np

from keras_ssp import SynapticPenalty, penalize
from keras_ssp.layers import LIF, DirectEncoding, RateReadout

CLASSES, FEATURES, BATCH = 3, 8, 16


def problem(n=192, seed=0):
    """Three clouds of points: `x`, `y`."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(CLASSES, FEATURES))
    y = random.integers(0, CLASSES, n)
    x = centres[y] + 0.4 * random.normal(size=(n, FEATURES))
    return x.astype("float32"), y.astype("int32")


X, Y = problem()
X_VAL, Y_VAL = problem(64, seed=1)


def network(penalty=None, *, norm=True, wide=16, **compile):
    """Two spiking layers, compiled."""
    dense = keras.layers.Dense
    norms = [keras.layers.BatchNormalization(momentum=0.8)] if norm else []
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            dense(wide),
            *norms,
            DirectEncoding(3),
            LIF(threshold=0.5, name="lif1"),
            dense(wide),
            *[keras.layers.BatchNormalization(momentum=0.8) for _ in norms],
            LIF(threshold=0.5, name="lif2"),
            dense(CLASSES),
            RateReadout(),
        ]
    )
    penalize(model, SynapticPenalty(0.0) if penalty is None else penalty)
    return compiled(model, **compile)


def compiled(model, rate=0.02, **compile):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], **compile)
    return model


def fit(model, *callbacks, epochs=10, **arguments):
    """Trains; returns the history."""
    return model.fit(
        X,
        Y,
        batch_size=BATCH,
        epochs=epochs,
        callbacks=list(callbacks),
        verbose=0,
        **arguments,
    ).history
