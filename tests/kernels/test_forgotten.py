"""What was traced goes when its model goes: a search makes thousands of them."""

import gc

import tensorflow as tf

from keras_ssp import energy_report
from tests.helpers import images, small_snn


def graphs():
    """How many graphs TensorFlow has traced and not forgotten."""
    gc.collect()
    return sum(type(each).__name__ == "FuncGraph" for each in gc.get_objects())


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
    before = graphs()
    for _ in range(3):
        use_one()
    assert graphs() == before
