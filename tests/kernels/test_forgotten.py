"""What was traced goes when its model goes: a search makes thousands of them."""

import gc
import weakref

import keras
import pytest
import tensorflow as tf

from keras_ssp import energy_report
from keras_ssp.layers import QCFS
from tests.helpers import images, small_snn


def graphs():
    """The graphs that TensorFlow has traced and not forgotten."""
    gc.collect()
    return [each for each in gc.get_objects() if type(each).__name__ == "FuncGraph"]


def small_ann():
    """With what is trained to be converted."""
    layers = [keras.layers.Flatten(), QCFS(4), keras.layers.Dense(5)]
    return keras.Sequential([keras.Input((8, 8, 2)), *layers])


def use_one(network):
    model, x = network(), images(4)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x, training=True))
        return tape.gradient(loss, model.trainable_variables)

    assert all(gradient is not None for gradient in step(tf.constant(x)))
    assert model.predict(x, verbose=0).shape == (4, 5)
    assert energy_report(model, x).energy_pj > 0


@pytest.mark.parametrize("network", [small_snn, small_ann])
def test_models_that_are_gone_leave_no_graphs(network):
    use_one(network)  # their loops' own graphs stay, for the next model of the kind
    before = weakref.WeakSet(graphs())  # other tests' too, some of which go meanwhile
    for _ in range(3):
        use_one(network)
    assert not [each.name for each in graphs() if each not in before]
