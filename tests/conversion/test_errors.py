"""Whatever cannot be converted says so, and what to do instead."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp.conversion import convert
from keras_ssp.layers import LIF, QCFS
from tests.conversion.networks import inputs, plain

DATA = np.abs(inputs(10, (4,)))


def dense(*parts):
    return keras.Sequential([keras.Input((4,)), layers.Dense(4, name="first"), *parts])


def relu_net():
    return dense(layers.ReLU(name="relu"), layers.Dense(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time_steps": 0}, "`time_steps` must be a positive integer"),
        ({"time_steps": 2.5}, "`time_steps` must be a positive integer"),
        ({"method": "mean"}, "`method` must be one of 'max', 'percentile', 'qcfs'"),
        ({"percentile": 0}, r"`percentile` must be a number in \(0, 100\]"),
        ({"percentile": 150}, r"in \(0, 100\]. Received: percentile=150"),
        ({"percentile": 100.1}, "`percentile` must be"),
        ({"initial_potential": 1.5}, r"`initial_potential` must be a number in \[0, 1"),
        ({"initial_potential": -0.1}, "`initial_potential` must be"),
        ({"max_pooling": "average"}, "`max_pooling` must be one of 'spikes', 'error'"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"data": None}, "`data` must be given for method='max' and method='percenti"),
        ({"data": DATA[:0]}, "`data` must hold at least one sample"),
        ({"data": DATA[:, :3]}, r"`data` must hold batches of shape \(None, 4\)"),
        ({"data": DATA * np.nan}, "`data` must hold finite numbers only"),
        ({"data": 3}, "`data` must be arrays"),
        (
            {"method": "qcfs"},
            "thresholds from trained .*QCFS.* are not: 'relu'. Remedy: train the",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    arguments = {"data": DATA, "time_steps": 4, **arguments}
    with pytest.raises(ValueError, match=message):
        convert(relu_net(), **arguments)


def test_qcfs_beside_relu_is_named():
    model = dense(QCFS(4), layers.Dense(3), layers.ReLU(name="odd_one"))
    with pytest.raises(ValueError, match="these activations are not: 'odd_one'"):
        convert(model, time_steps=4, method="qcfs")


@pytest.mark.parametrize("method", ["max", "percentile"])
def test_dead_layer(method):
    model = relu_net()
    model.layers[0].set_weights([np.zeros((4, 4)), np.full(4, -1.0)])
    with pytest.raises(ValueError, match="Layer 'relu' is dead: its largest activa"):
        convert(model, DATA, time_steps=4, method=method)


def test_activations_that_are_not_finite():
    model = relu_net()
    model.layers[0].set_weights([np.full((4, 4), np.inf), np.zeros(4)])
    with pytest.raises(ValueError, match="activations of layer 'relu' are not finite"):
        convert(model, DATA, time_steps=4)


UNSUPPORTED = {
    "'x' of type LeakyReLU cannot be converted: a spike rate is a clipped ReLU": (
        layers.LeakyReLU(name="x")
    ),
    "'x' of type Activation cannot be converted: a spike rate": (
        layers.Activation("gelu", name="x")
    ),
    "'x' of type ReLU cannot be converted: a spike": layers.ReLU(
        negative_slope=0.1, name="x"
    ),
    "'x' of type Dense with activation tanh cannot be converted": (
        layers.Dense(4, activation="tanh", name="x")
    ),
    "'x' of type LayerNormalization cannot be converted. Remedy: replace it by": (
        layers.LayerNormalization(name="x")
    ),
    "'x' of type LIF is a spiking layer already. Remedy: convert": LIF(name="x"),
    "'x' of type Rescaling cannot be converted behind an activation": (
        layers.Rescaling(2.0, name="x")
    ),
    "BatchNormalization 'x' cannot be folded": layers.BatchNormalization(name="x"),
}


@pytest.mark.parametrize("message", UNSUPPORTED)
def test_unsupported_layers(message):
    layer = UNSUPPORTED[message]
    model = dense(layers.ReLU(), layer, layers.Dense(2))
    with pytest.raises(ValueError) as caught:
        convert(model, DATA, time_steps=4)
    assert message in str(caught.value)
    assert "Remedy" in str(caught.value)


def test_subclass_of_a_layer_is_not_taken_for_it():
    class Standardized(layers.Dense):
        pass

    model = dense(layers.ReLU(), Standardized(2, name="x"))
    with pytest.raises(ValueError, match="'x' of type Standardized cannot be converte"):
        convert(model, DATA, time_steps=4)


def test_any_spiking_layer_is_refused():
    class Mine(LIF):
        pass

    model = dense(Mine(name="x"), layers.Dense(2))
    with pytest.raises(ValueError, match="'x' of type Mine is a spiking layer already"):
        convert(model, DATA, time_steps=4)


def test_constant_added_to_spikes():
    x = keras.Input((4,))
    y = layers.ReLU()(layers.Dense(4)(x)) + 1.0
    with pytest.raises(ValueError, match="adds a constant. Remedy: make it a bias"):
        convert(keras.Model(x, layers.Dense(2)(y)), DATA, time_steps=4)


def test_thresholds_that_differ_along_another_axis_than_the_channels():
    x = keras.Input((3, 4))
    a, b = (layers.Dense(4)(x) for _ in range(2))
    y = layers.Concatenate(axis=1)([QCFS(4)(a), QCFS(4, initial_threshold=3.0)(b)])
    model = keras.Model(x, layers.Dense(2, name="head")(y))
    with pytest.raises(ValueError, match="'head' .*different thresholds along another"):
        convert(model, time_steps=4, method="qcfs")


def test_network_without_activations():
    with pytest.raises(ValueError, match="must have at least one ReLU or QCFS"):
        convert(dense(), DATA, time_steps=4)


def test_refused_max_pooling():
    model = plain(pool=layers.MaxPooling2D(2, name="pool"))
    with pytest.raises(ValueError, match="'pool' of type MaxPooling2D stands behind"):
        convert(model, inputs(), time_steps=4, max_pooling="error")


def test_subclassed_model():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="`model` must be a built Sequential or Funct"):
        convert(Mine(), DATA, time_steps=4)
