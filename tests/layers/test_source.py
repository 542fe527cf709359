"""Neurons straight behind a repetition, a norm, or both: as behind something else.

On TensorFlow the loop then reads what went in there; `Rescaling(1.0)` keeps it from it.
"""

import keras
import numpy as np
import pytest

import keras_ssp as ssp
from tests.helpers import gradients
from tests.layers.neurons import Recurrent

pytestmark = pytest.mark.every_backend


def normed(x):
    norm = ssp.BatchNormalization(momentum=0.5, epsilon=0.0)
    y = norm(x)
    gamma, beta, mean, variance = [0.5, 1.0], [0.25, 0.0], [1.0, -2.0], [4.0, 1.0]
    norm.set_weights([np.array(w) for w in (gamma, beta, mean, variance)])
    return y


class Weighed(keras.layers.Layer):
    """All that neurons hand on, each value by another weight, in one tensor."""

    def call(self, inputs):
        rng = np.random.default_rng(0)
        tensors = keras.tree.flatten(inputs)
        weights = (rng.normal(size=y.shape).astype("float32") for y in tensors)
        pairs = zip(tensors, map(keras.ops.convert_to_tensor, weights), strict=True)
        return sum(y * w for y, w in pairs)

    def compute_output_shape(self, input_shape):
        return input_shape[0] if isinstance(input_shape, list) else input_shape


def network(order, steps, neurons, straight, shape=(3, 2), behind=Weighed):
    """Layers in some order, then neurons, straight behind them or not."""
    image = y = keras.Input(shape)
    for what in order:
        y = normed(y) if what == "norm" else ssp.DirectEncoding(steps)(y)
    y = y if straight else keras.layers.Rescaling(1.0)(y)
    given = {} if "time" in order else {"time_steps": steps}
    return keras.Model(image, ssp.RateReadout()(behind()(neurons(**given)(y))))


def lif(**given):
    return ssp.LIF(
        0.5, surrogate="triangle", learn_beta=True, return_potential=True, **given
    )


def found(model, x, training):
    def loss(x):
        return keras.ops.sum(model(x, training=training))

    value, (dx,), dw = gradients(loss, [x], model.trainable_weights)
    return [np.asarray(float(value)), dx, *dw, *model.get_weights()]


@pytest.mark.parametrize(
    ("order", "steps", "neurons"),
    [
        (["time"], 1, lif),
        (["time"], 4, lif),
        (["time"], 9, lif),
        (["norm", "time"], 5, lif),
        (["norm", "time"], 17, lif),
        (["time", "norm"], 4, lif),
        (["norm"], 9, lif),
        (["norm", "time"], 3, Recurrent),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_as_behind_something_else(order, steps, neurons, training):
    rng = np.random.default_rng(steps)
    rows = 4 if "time" in order else 4 * steps
    x = (rng.integers(-48, 64, (rows, 3, 2)) / 16.0).astype("float32")
    if neurons is Recurrent:
        x = x[:, 0]
    models = [
        network(order, steps, neurons, straight, x.shape[1:])
        for straight in (True, False)
    ]
    models[1].set_weights(models[0].get_weights())
    straight, other = (found(model, x, training) for model in models)
    assert np.any(straight[1])
    for a, b in zip(straight, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_goes_the_same_way(jit_compile):
    """Batches of any size, in a graph, with the penalty and the warning of `fit`."""
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch.compile needs a C++ compiler at run time")
    x = np.random.default_rng(3).normal(0.5, 1.0, (20, 3, 2)).astype("float32")
    weights = []
    for straight in (True, False):
        keras.utils.set_random_seed(0)
        model = network(
            ["norm", "time"],
            6,
            lambda **given: ssp.LIF(0.5, **given),
            straight,
            behind=lambda: lambda s: keras.layers.Dense(2)(keras.layers.Flatten()(s)),
        )
        ssp.penalize(model, ssp.SynapticPenalty(1e-3))
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit_compile)
        model.fit(x, np.ones((20, 2)), batch_size=8, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
        assert not np.array_equal(weights[-1][0], [0.5, 1.0])
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_repetition_that_others_read_too():
    """Two layers of neurons behind one encoding, and one behind its double."""
    image = keras.Input((3,))
    encoded = ssp.DirectEncoding(5)(image)
    places = (encoded, encoded, encoded * 2.0)
    rates = [ssp.RateReadout()(ssp.LIF(0.5)(place)) for place in places]
    x = np.array([[0.6, 0.3, 1.0]], "float32")
    outputs = keras.Model(image, rates).predict(x, verbose=0)
    counts = [round(float(5 * rate.sum())) for rate in outputs]
    once, twice = (
        float(keras.ops.sum(ssp.LIF(0.5, time_steps=5)(np.repeat(k * x, 5, axis=0))))
        for k in (1, 2)
    )
    assert counts == [once, once, twice] and once != twice
