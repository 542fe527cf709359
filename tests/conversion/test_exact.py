"""Where conversion is exact: one layer of QCFS neurons, and T = levels.

The input is constant over time, so each neuron's rate is its activation; what
follows the neurons is linear in the rates, so nothing is lost.
"""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import energy_report
from keras_ssp.conversion import convert
from keras_ssp.layers import QCFS
from tests.conversion.networks import inputs, outputs, randomize, some_on_every_backend

LEVELS = 6


def neurons(y, threshold=0.8):
    return QCFS(LEVELS, initial_threshold=threshold)(y)


def two_thresholds(y):
    """Channels 0-3 and 4-5 with different thresholds."""
    first = neurons(layers.Conv2D(4, 3, padding="same")(y), 0.6)
    second = neurons(layers.Conv2D(2, 3, padding="same")(y), 1.7)
    return layers.Concatenate()([first, second])


def after(*parts):
    def build(x):
        y = two_thresholds(x)
        for part in parts:
            y = part(y)
        return y

    return build


def identity_sum(x):
    a = neurons(layers.Conv2D(4, 3, padding="same")(x), 0.6)
    b = neurons(layers.Conv2D(4, 3, padding="same")(x), 1.7)
    return layers.Dense(3)(layers.Flatten()(layers.Add()([a, b, a])))


def sum_of_concatenations(x):
    return layers.Dense(3)(layers.Add()([two_thresholds(x), two_thresholds(x)]))


def analogue_beside_spikes(x):
    y = layers.Concatenate()([neurons(layers.Conv2D(4, 3, padding="same")(x)), x])
    return layers.Dense(3)(layers.Flatten()(y))


def several_consumers(x):
    y = neurons(layers.Conv2D(4, 3, padding="same")(x))
    return layers.Add()([layers.Conv2D(4, 3)(y), layers.DepthwiseConv2D(3)(y)])


def networks():
    """Name to a function from the input to the output."""
    return {
        "flatten": after(layers.Flatten(), layers.Dense(3)),
        "reshape": after(layers.Reshape((12, 18)), layers.Flatten(), layers.Dense(3)),
        "permute": after(layers.Permute((3, 1, 2)), layers.Flatten(), layers.Dense(3)),
        "dense": after(layers.Dense(3)),
        "conv": after(layers.Conv2D(3, 3, strides=2, padding="same")),
        "groups": after(layers.Conv2D(4, 3, groups=2)),
        "depthwise": after(layers.DepthwiseConv2D(3, depth_multiplier=2)),
        "separable": after(layers.SeparableConv2D(3, 3)),
        "transposed": after(layers.Conv2DTranspose(3, 3, strides=2)),
        "average": after(layers.AveragePooling2D(2, padding="same"), layers.Dense(3)),
        "global": after(layers.GlobalAveragePooling2D(), layers.Dense(3)),
        "global kept": after(
            layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(3, 1)
        ),
        "padding": after(layers.ZeroPadding2D(1), layers.Conv2D(3, 3)),
        "cropping": after(layers.Cropping2D(1), layers.Conv2D(3, 3)),
        "up": after(layers.UpSampling2D(2), layers.Conv2D(3, 3, strides=2)),
        "dropout": after(layers.Dropout(0.5), layers.Dense(3)),
        "two linear": after(layers.Conv2D(3, 1), layers.Conv2D(2, 3)),
        "neurons last": lambda x: neurons(layers.Dense(3)(x)),
        "several consumers": several_consumers,
        "identity sum": identity_sum,
        "sum of concatenations": sum_of_concatenations,
        "analogue beside spikes": analogue_beside_spikes,
        "rescaled input": lambda x: layers.Dense(3)(
            neurons(layers.Dense(4)(layers.Rescaling(0.5, 0.1)(x)))
        ),
        "linear stem": lambda x: layers.Dense(3)(
            neurons(layers.Conv2D(3, 1)(layers.MaxPooling2D(2)(layers.Dense(4)(x))))
        ),
        "input into neurons": lambda x: layers.Dense(3)(neurons(x)),
        "static branch": lambda x: layers.Add()(
            [layers.Dense(3)(neurons(layers.Dense(4)(x))), layers.Dense(3)(x)]
        ),
        "softmax": after(layers.Flatten(), layers.Dense(3, activation="softmax")),
    }


EVERY_BACKEND = ("permute", "groups", "separable", "transposed", "softmax", "average")


@pytest.mark.parametrize("name", some_on_every_backend(networks(), EVERY_BACKEND))
def test_equals_the_network(name):
    x = keras.Input((6, 6, 2))
    model = randomize(keras.Model(x, networks()[name](x)))
    data = inputs(5, (6, 6, 2))
    snn = convert(model, time_steps=LEVELS, method="qcfs")
    np.testing.assert_allclose(
        outputs(snn, data), outputs(model, data), atol=1e-5, rtol=1e-4
    )
    assert energy_report(snn, data).synops >= 0


@pytest.mark.parametrize("rank", [1, 3])
def test_other_ranks(rank):
    conv = getattr(layers, f"Conv{rank}D")
    pool = getattr(layers, f"AveragePooling{rank}D")
    shape = (4,) * rank + (2,)
    parts = [keras.Input(shape), conv(3, 3, padding="same")]
    parts += [layers.BatchNormalization(), QCFS(LEVELS), pool(2), conv(2, 2)]
    model = randomize(keras.Sequential(parts))
    data = inputs(5, shape)
    snn = convert(model, time_steps=LEVELS, method="qcfs")
    np.testing.assert_allclose(outputs(snn, data), outputs(model, data), atol=1e-5)


def test_activation_as_an_argument():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation=QCFS(LEVELS, initial_threshold=0.7)),
            layers.Dense(3),
        ]
    )
    data = inputs(20, (6,))
    snn = convert(model, time_steps=LEVELS, method="qcfs")
    np.testing.assert_allclose(outputs(snn, data), outputs(model, data), atol=1e-5)


def test_structures_and_several_inputs():
    a, b = keras.Input((3,), name="a"), keras.Input((4,), name="b")
    y = neurons(layers.Dense(5)(layers.Concatenate()([a, b])))
    model = keras.Model({"a": a, "b": b}, {"y": layers.Dense(2)(y), "rates": y})
    x = {"a": inputs(6, (3,)), "b": inputs(6, (4,))}
    found = outputs(convert(model, time_steps=LEVELS, method="qcfs"), x)
    for key, value in outputs(model, x).items():
        np.testing.assert_allclose(found[key], value, atol=1e-5)


def test_shared_layers_take_the_scales_of_each_call():
    shared = layers.Dense(4, name="shared")
    x = keras.Input((4,))
    first = neurons(shared(x), 0.5)
    model = keras.Model(x, layers.Concatenate()([shared(first), first]))
    data = inputs(20, (4,))
    snn = convert(model, time_steps=LEVELS, method="qcfs")
    np.testing.assert_allclose(outputs(snn, data), outputs(model, data), atol=1e-5)


def test_nested_models():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5), QCFS(LEVELS)], name="inner"
    )
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(2)(inner(x)))
    data = inputs(20, (4,))
    snn = convert(model, time_steps=LEVELS, method="qcfs")
    np.testing.assert_allclose(outputs(snn, data), outputs(model, data), atol=1e-5)
