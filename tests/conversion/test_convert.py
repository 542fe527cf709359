"""Conversion approaches the ReLU network as T grows, and what it builds."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from keras_ssp import energy_report
from keras_ssp.conversion import convert
from keras_ssp.conversion.thresholds import Activity
from keras_ssp.layers import LIF, QCFS, DirectEncoding, RateReadout
from tests.conversion.networks import inputs, outputs, plain, randomize, residual

RELUS = {
    "layer": layers.ReLU,
    "clipped": lambda: layers.ReLU(max_value=0.7),
    "activation": lambda: layers.Activation("relu"),
    "relu6": lambda: layers.Activation("relu6"),
    "function": lambda: keras.activations.relu,
    "operation": lambda: ops.relu,
    "operation relu6": lambda: ops.relu6,
}


def errors(model, data, steps, **arguments):
    """Mean absolute error for each T, in units of the output's deviation."""
    expected = outputs(model, data)
    return [
        np.abs(
            outputs(convert(model, data, time_steps=t, **arguments), data) - expected
        ).mean()
        / expected.std()
        for t in steps
    ]


def only(layer_type, model):
    return [layer for layer in model.layers if isinstance(layer, layer_type)]


@pytest.mark.every_backend
@pytest.mark.parametrize("make", [plain, residual])
def test_error_falls_like_one_over_time_steps(make):
    first, second, third = errors(make(), inputs(), (16, 64, 256), method="max")
    # Times 16 in T: times 16 in accuracy, give or take the luck of a few spikes.
    assert third < first / 8
    assert first / 8 < second < first
    assert third < 0.01


@pytest.mark.parametrize("name", RELUS)
def test_every_spelling_of_relu(name):
    model = plain(activation=RELUS[name])
    (error,) = errors(model, inputs(), (256,), method="max")
    assert error < 0.01


def test_relu_as_an_argument_and_as_the_last_layer():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(12, activation="relu", name="first"),
            layers.Dense(4, activation="relu", name="last"),
        ]
    )
    snn = convert(model, inputs(50, (6,)), time_steps=8, method="max")
    names = [layer.name for layer in only(LIF, snn)]
    assert names == ["first_relu", "last_relu"]
    (error,) = errors(model, inputs(50, (6,)), (512,), method="max")
    assert error < 0.01


@settings(max_examples=5, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 999),
    widths=st.lists(st.integers(2, 12), min_size=1, max_size=4),
    method=st.sampled_from(["max", "percentile"]),
)
def test_random_dense_networks(seed, widths, method):
    keras.utils.set_random_seed(seed)
    parts = [keras.Input((5,))]
    for width in widths:
        parts += [layers.Dense(width), layers.BatchNormalization(), layers.ReLU()]
    model = randomize(keras.Sequential([*parts, layers.Dense(3)]), seed)
    data = inputs(40, (5,), seed)
    (error,) = errors(model, data, (256,), method=method, percentile=100.0)
    assert error < 0.05


def test_max_pooling_of_spikes_is_biased_upwards_and_stays_so():
    # Two neurons of rates 1/2 and 1/4: the rate of their maximum is up to 3/4.
    model = keras.Sequential(
        [keras.Input((2, 1)), layers.ReLU(), layers.MaxPooling1D(2)]
    )
    data = np.array([[[1.0], [0.0]], [[0.5], [0.25]], [[0.4], [0.3]]], "float32")
    snn = convert(model, data, time_steps=512, method="max")
    rates = outputs(snn, data).ravel()
    assert rates[0] == pytest.approx(1.0)  # nothing to choose from
    assert 0.6 < rates[1] <= 0.75
    assert 0.45 < rates[2] <= 0.7


def test_max_pooling_in_front_of_the_first_neurons_is_exact():
    x = keras.Input((8, 8, 2))
    y = layers.MaxPooling2D(2)(layers.Conv2D(6, 3)(x))
    y = layers.Flatten()(layers.ReLU()(y))
    model = keras.Model(x, layers.Dense(3)(y))
    (error,) = errors(model, inputs(), (512,), method="max", max_pooling="error")
    assert error < 0.005


def test_max_pooling_network_converts_and_is_counted():
    model = residual(pool=layers.MaxPooling2D(2))
    few, many = errors(model, inputs(), (64, 256), method="max")
    assert np.isfinite(few)
    assert many > 0.02  # unlike average pooling, more steps do not help
    snn = convert(model, inputs(), time_steps=4)
    assert energy_report(snn, inputs()).synops > 0


@pytest.mark.every_backend
@pytest.mark.parametrize("make", [plain, residual])
def test_synapses_see_spikes_of_size_one(make):
    data = inputs()
    # Max pooling: average pooling would hand on means of spikes, which are events too.
    snn = convert(make(layers.MaxPooling2D(2)), data, time_steps=5)
    for neuron in only(LIF, snn):
        assert (neuron.beta, neuron.threshold, neuron.reset) == (1.0, 1.0, "soft")
        assert neuron.initial_potential == 0.5
    convs = only(layers.Conv2D, snn)
    stem, others = convs[0], convs[1:]
    values = keras.Function(snn.input, [conv.input for conv in others])(data)
    for value in values:
        assert set(np.unique(ops.convert_to_numpy(value))) <= {0.0, 1.0}
    # Time starts after the stem, which runs once per image.
    encoding, readout = only(DirectEncoding, snn), only(RateReadout, snn)
    assert len(encoding) == len(readout) == 1
    assert encoding[0].input is stem.output
    assert readout[0].input is only(layers.Dense, snn)[-1].output


def test_energy_is_that_of_the_spikes():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", name="a"),
            layers.Dense(5, activation="relu", name="b"),
            layers.Dense(3),
        ]
    )
    data = inputs(20, (6,))
    snn = convert(model, data, time_steps=7)
    report = energy_report(snn, data)
    spikes = keras.Function(snn.input, [n.output for n in only(LIF, snn)])(data)
    counts = [float(np.sum(ops.convert_to_numpy(s))) / 20 for s in spikes]
    assert report.synops == pytest.approx(5 * counts[0] + 3 * counts[1])
    assert report.macs == 6 * 8
    assert report.time_steps == 7


def test_identity_shortcut_is_one_constant_factor():
    snn = convert(residual(), inputs(), time_steps=4)
    (factor,) = only(layers.Rescaling, snn)
    assert factor.name == "sum_scale"
    report = energy_report(snn, inputs())
    noted = [row for row in report.layers if any("sum_scale" in n for n in row.notes)]
    assert len(noted) == 1  # no synapse, no SynOps, and the report says so


@pytest.mark.parametrize("make", [plain, residual])
def test_the_given_model_is_left_alone(make):
    model, data = make(), inputs()
    before, weights = outputs(model, data), model.get_weights()
    config = model.get_config()
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    snn = convert(model, data, time_steps=4)
    snn.compile("sgd", "mse")
    snn.train_on_batch(data, np.ones((len(data), 5)))
    assert model.get_config() == config
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(outputs(model, data), before)


def test_saved_network_is_the_same(tmp_path):
    snn = convert(residual(), inputs(), time_steps=4, name="mine")
    assert snn.name == "mine"
    snn.save(tmp_path / "snn.keras")
    again = keras.saving.load_model(tmp_path / "snn.keras")
    np.testing.assert_array_equal(outputs(again, inputs()), outputs(snn, inputs()))


def test_final_activation_follows_the_mean():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )
    snn = convert(model, inputs(20, (6,)), time_steps=3)
    assert [layer.name for layer in snn.layers[-2:]] == ["readout", "head_softmax"]
    np.testing.assert_allclose(outputs(snn, inputs(20, (6,))).sum(-1), 1, rtol=1e-5)


def test_initial_potential_of_one_half_has_no_bias():
    model, data = (
        keras.Sequential([keras.Input((50,)), layers.ReLU()]),
        np.random.default_rng(0).uniform(0, 1, (40, 50)).astype("float32"),
    )
    bias = {}
    for start in (0.0, 0.5, 1.0):
        snn = convert(model, data, time_steps=4, method="max", initial_potential=start)
        bias[start] = float((outputs(snn, data) - data).mean() / data.max())
    assert abs(bias[0.5]) < 0.01
    assert bias[0.0] == pytest.approx(-1 / 8, abs=0.02)  # half a spike of four
    assert bias[1.0] == pytest.approx(1 / 8, abs=0.04)


@pytest.mark.every_backend
@pytest.mark.parametrize("percentile", [50.0, 99.0, 99.9, 100.0])
def test_percentile_is_that_of_the_positive_values(percentile):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 5000)).astype("float32") * 10.0
    activity = Activity()
    for k, batch in enumerate(values):
        activity.add(batch * 10.0 ** (k % 3 - 1))  # any magnitude, in any order
    seen = (values * 10.0 ** (np.arange(20) % 3 - 1)[:, None]).ravel()
    exact = np.percentile(seen[seen > 0], percentile, method="inverted_cdf")
    found = activity.percentile(percentile)
    assert exact * (1 - 1e-6) <= found <= exact * 1.0015


def test_percentile_ignores_an_outlier_and_max_does_not():
    model = keras.Sequential([keras.Input((10,)), layers.ReLU()])
    data = np.random.default_rng(0).uniform(0, 1, (1000, 10)).astype("float32")
    data[0, 0] = 100.0
    largest = convert(model, data, time_steps=16, method="max")
    robust = convert(model, data, time_steps=16, method="percentile")
    assert np.abs(outputs(largest, data[1:]) - data[1:]).mean() > 0.2
    assert np.abs(outputs(robust, data[1:]) - data[1:]).mean() < 0.02


def test_qcfs_layers_convert_by_measuring_too():
    model = plain(activation=lambda: QCFS(256, initial_threshold=6.0))
    (error,) = errors(model, inputs(), (512,), method="max")
    assert error < 0.03


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = residual()
    finally:
        keras.config.set_dtype_policy("float32")
    (error,) = errors(model, inputs(), (64,), method="max")
    assert error < 0.1
