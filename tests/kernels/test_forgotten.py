"""What was traced goes when its model goes: a search makes thousands of them."""

import gc
import weakref

import tensorflow as tf

from keras_ssp import energy_report
from tests.helpers import images, small_snn


def graphs():
    """The graphs that TensorFlow has traced and not forgotten."""
    gc.collect()
    return [each for each in gc.get_objects() if type(each).__name__ == "FuncGraph"]


def use_one():
    model, x = small_snn(), images(4)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x, training=True))
        return tape.gradient(loss, model.trainable_variables)

    assert all(gradient is not None for gradient in step(tf.constant(x)))
    assert model.predict(x, verbose=0).shape == (4, 5)
    assert energy_report(model, x).synops > 0


def test_models_that_are_gone_leave_no_graphs():
    use_one()  # their loops' own graphs stay, for the next model of the kind
    before = weakref.WeakSet(graphs())  # other tests' too, some of which go meanwhile
    for _ in range(3):
        use_one()
    assert not [each.name for each in graphs() if each not in before]
