"""A QCFS network that was trained on real images, and its spiking copy."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import energy_report
from keras_ssp.conversion import convert
from keras_ssp.datasets import load
from keras_ssp.layers import QCFS
from tests.conversion.networks import outputs

pytest.importorskip("sklearn")


def block(filters):
    conv = layers.Conv2D(filters, 3, padding="same", use_bias=False)
    parts = [conv, layers.BatchNormalization(momentum=0.9), QCFS(8)]
    return [*parts, layers.AveragePooling2D(2)]


def test_accuracy_of_the_spiking_network_is_that_of_the_trained_one():
    data = load("digits")
    model = keras.Sequential(
        [
            keras.Input(data.sample_shape),
            *block(16),
            *block(32),
            layers.Flatten(),
            layers.Dense(64, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            QCFS(8),
            layers.Dense(data.classes),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    train = data.normalized(data.train.x), data.train.y
    model.fit(*train, batch_size=64, epochs=8, verbose=0)
    x = data.normalized(data.test.x)

    def accuracy(network):
        return float(np.mean(outputs(network, x).argmax(-1) == data.test.y))

    trained = accuracy(model)
    found = {
        t: accuracy(convert(model, time_steps=t, method="qcfs"))
        for t in (2, 4, 8, 16, 32)
    }
    print(f"\ntrained {trained:.4f}, spiking {found}")
    assert trained > 0.95
    assert abs(found[8] - trained) <= 0.02
    assert found[32] >= trained - 0.02
    assert found[2] > 0.5  # far from chance, far from good

    # Thresholds measured on the same network need more steps for the same accuracy.
    measured = convert(model, train, time_steps=8, method="percentile")
    assert accuracy(measured) > 0.8
    assert energy_report(measured, x[:50]).synops > 0
