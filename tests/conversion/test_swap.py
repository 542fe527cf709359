"""`spiking(model)`: every ReLU a neuron, the stem once, weights kept."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp import BatchNormalization, energy_report, penalize, spiking
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from keras_ssp.penalties import SynapticPenalty

pytestmark = pytest.mark.every_backend


def kinds(model, *which):
    return [type(k).__name__ for k in model.layers if isinstance(k, which)]


def values(tensor):
    return ops.convert_to_numpy(tensor)


def check_weights(snn, model):
    assert snn.count_params() == model.count_params()
    for layer in model._flatten_layers(include_self=False):
        if layer.weights and not hasattr(layer, "layers"):
            (copied,) = [
                k  # of a nested model, its name goes before
                for k in snn.layers
                if k.name == layer.name or k.name.endswith(f"_{layer.name}")
            ]
            for a, b in zip(copied.get_weights(), layer.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)


def chain():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, name="stem"),
            layers.BatchNormalization(),
            layers.ReLU(name="act"),
            layers.MaxPooling2D(),
            layers.Conv2D(6, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(5, activation="softmax", name="head"),
        ],
        name="chain",
    )


@pytest.mark.parametrize("steps", [1, 3])
def test_is_the_network_written_by_hand(steps):
    model = chain()
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype("float32")
    found = spiking(model, steps, beta=0.7, threshold=0.3)
    y = image = keras.Input((8, 8, 1))
    stack = [
        *(layers.Conv2D(4, 3), layers.BatchNormalization()),
        *([DirectEncoding(steps)] if steps > 1 else []),
        *(LIF(0.7, threshold=0.3), layers.MaxPooling2D(), layers.Conv2D(6, 3)),
        *(LIF(0.7, threshold=0.3), layers.Flatten(), layers.Dense(5)),
        *([RateReadout()] if steps > 1 else []),
        layers.Activation("softmax"),
    ]
    for layer in stack:
        y = layer(y)
    by_hand = keras.Model(image, y)
    by_hand.set_weights(model.get_weights())
    np.testing.assert_allclose(values(found(x)), values(by_hand(x)), rtol=1e-6)
    assert found.name == "chain_snn"
    norms = [k for k in found.layers if isinstance(k, layers.BatchNormalization)]
    assert [type(norm) for norm in norms] == [BatchNormalization]
    assert [k.name for k in found.layers if isinstance(k, LIF)] == ["act", "conv_lif"]
    assert energy_report(found, x).macs == energy_report(by_hand, x).macs


def residual():
    image = keras.Input((8, 8, 3))
    y = layers.ReLU()(layers.Conv2D(4, 3, padding="same")(image))
    shortcut = layers.Conv2D(4, 1)(image)  # reads the image: joined when time is there
    z = layers.Conv2D(4, 3, padding="same")(y)
    z = keras.activations.relu(layers.Add()([z, shortcut]))
    z = ops.relu(layers.Conv2D(4, 3)(z))
    z = layers.Concatenate()([layers.GlobalAveragePooling2D()(z)])
    return keras.Model(image, [layers.Dense(2)(z), layers.Dense(3, name="second")(z)])


def nested():
    stack = [layers.Dense(6, activation="relu", name="a"), layers.Dense(6, name="b")]
    inner = keras.Sequential(stack)
    image = keras.Input((4,))
    return keras.Model(image, layers.Dense(2)(layers.ReLU()(inner(image))))


def series():
    stack = [layers.Conv1D(4, 3, padding="causal", activation="relu")]
    stack += [layers.Conv1D(4, 3, dilation_rate=2), layers.ReLU(6.0)]
    stack += [layers.GlobalMaxPooling1D(), layers.Dense(1)]
    return keras.Sequential([keras.Input((12, 2)), *stack])


def u_net():
    image = keras.Input((8, 8, 1))
    down = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    low = layers.MaxPooling2D()(down)
    low = layers.Conv2D(6, 3, padding="same", activation="relu")(low)
    up = layers.Conv2DTranspose(4, 2, strides=2, activation="relu")(low)
    y = layers.Conv2D(4, 3, padding="same")(layers.Concatenate()([up, down]))
    return keras.Model(
        image, layers.Conv2D(3, 1, activation="softmax")(layers.ReLU()(y))
    )


@pytest.mark.filterwarnings("ignore:Layer .* is silent:UserWarning")
@pytest.mark.parametrize(
    ("network", "neurons"), [(residual, 3), (nested, 2), (series, 2), (u_net, 4)]
)
def test_networks_of_every_shape_train(network, neurons):
    model = network()
    snn = spiking(model, 3)
    assert len(kinds(snn, LIF)) == neurons
    x = np.random.default_rng(0).normal(size=(6, *model.input_shape[1:]))
    outputs = keras.tree.flatten(model(x))
    found = keras.tree.flatten(snn(x))
    assert [y.shape for y in found] == [y.shape for y in outputs]
    assert len(kinds(snn, RateReadout)) == len(outputs)
    check_weights(snn, model)
    penalize(snn, SynapticPenalty(1e-6))
    snn.compile("adam", ["mse"] * len(outputs))
    targets = [np.zeros(y.shape) for y in outputs]
    snn.fit(x, targets if len(targets) > 1 else targets[0], verbose=0)
    assert energy_report(snn, x).synops > 0


def test_the_stem_runs_once():
    report = energy_report(spiking(chain(), 5), np.ones((2, 8, 8, 1), "float32"))
    assert report["stem"].macs == 36 * 9 * 4
    assert report["act"].time_steps == 5


def test_a_layer_that_is_called_twice_stays_one():
    image, dense = keras.Input((4,)), layers.Dense(4, activation="relu", name="twice")
    model = keras.Model(image, layers.Dense(2)(dense(dense(image))))
    snn = spiking(model, 2)
    assert snn.count_params() == model.count_params()
    assert [k.name for k in snn.layers if isinstance(k, LIF)] == [
        "twice_lif",
        "twice_lif_1",
    ]


def test_what_is_no_relu_stays_and_is_named():
    stack = [layers.Dense(6, activation="swish", name="first")]  # in the stem: analogue
    stack += [layers.ReLU(), layers.Dense(6, activation="gelu", name="odd")]
    stack += [layers.LeakyReLU(name="leaky"), layers.Dense(2)]
    model = keras.Sequential([keras.Input((4,)), *stack])
    with pytest.warns(UserWarning, match=r"are: 'odd' \(gelu\), 'leaky' \(LeakyReLU\)"):
        snn = spiking(model)
    assert len(kinds(snn, LIF)) == 1


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="`model` must have at least one ReLU"):
        spiking(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))
    with pytest.raises(ValueError, match="`model` must be a network without spiking"):
        spiking(spiking(chain()))
    with pytest.raises(ValueError, match="`time_steps` must be"):
        spiking(chain(), 0)
    with pytest.raises(ValueError, match="`neuron` must be one of"):
        spiking(chain(), neuron="liff")
    with pytest.raises(ValueError, match="threshold"):
        spiking(chain(), threshold=-1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "neurons"), [("VGG16", 15), ("ResNet50", 49), ("MobileNetV2", 35)]
)
def test_networks_of_keras_applications(name, neurons):
    shape = (32, 32, 3)
    make = getattr(keras.applications, name)
    model = make(weights=None, input_shape=shape, classes=10)
    snn = spiking(model, 2)
    assert len(kinds(snn, LIF)) == neurons and len(kinds(snn, DirectEncoding)) == 1
    check_weights(snn, model)
    report = energy_report(snn, np.ones((2, *shape), "float32"))
    assert report.synops > 0 and values(snn(np.ones((1, *shape)))).shape == (1, 10)
