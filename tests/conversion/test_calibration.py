"""`calibrate`: mean and deviation of every current, and what is left as it was."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import calibrate, energy_report, penalize
from keras_ssp.layers import LIF, DirectEncoding, EventFrames, RateReadout
from keras_ssp.penalties import SynapticPenalty
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend


def currents(model, x, names):
    """What reaches layers, by Keras alone."""
    probe = keras.Function(model.inputs, [model.get_layer(n).input for n in names])
    return [keras.ops.convert_to_numpy(c) for c in probe([x])]


def is_as_asked(current, mean, deviation):
    channels = tuple(range(current.ndim - 1))
    means = current.mean(channels)
    np.testing.assert_allclose(means, mean, atol=2e-5)
    np.testing.assert_allclose((current - means).std(), deviation, rtol=1e-4)


def test_currents_have_the_mean_and_deviation_asked_for():
    model, x = small_snn(threshold=0.8), images()
    penalize(model, SynapticPenalty(1e-6))
    rates = calibrate(model, x, mean=0.25, deviation=1.5)
    for current in currents(model, x, ["lif1", "lif2"]):
        is_as_asked(current, 0.2, 1.2)
    report = energy_report(model, x)
    assert rates == pytest.approx(
        {r.name: r.rate for r in report.layers if r.is_neuron}, rel=1e-6
    )
    model(x)
    assert len(model.losses) == 2  # those of this call alone


def test_a_deep_network_fires_to_its_end():
    stack = [keras.Input((8,))]
    for k in range(12):
        stack += [layers.Dense(64), LIF(name=f"lif{k}")]
    model = keras.Sequential([*stack, layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=(200, 8)).astype("float32")
    assert energy_report(model, x).layers[-1].spikes < 0.1
    rates = calibrate(model, x)
    assert list(rates) == [f"lif{k}" for k in range(12)]
    assert all(0.2 < rate < 0.4 for rate in rates.values())


def test_batch_norms_take_it_and_the_batch_s_statistics():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, use_bias=False, name="stem"),
            layers.BatchNormalization(epsilon=1e-6, name="norm"),
            DirectEncoding(2),
            layers.Dropout(0.5),
            LIF(name="lif", threshold=2.0),
            layers.Flatten(),
            layers.Dense(2),
            RateReadout(),
        ]
    )
    x = images(8, (6, 6, 2))
    calibrate(model, x)
    (current,) = currents(model, x, ["lif"])
    is_as_asked(current, 1.0, 2.0)
    stem = keras.Function(model.inputs, model.get_layer("stem").output)([x])
    stem = keras.ops.convert_to_numpy(stem)
    norm = model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean, stem.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, stem.var((0, 1, 2)), rtol=1e-4)


def test_nested_models_events_and_several_inputs():
    inner = keras.Sequential(
        [layers.Dense(5), LIF(name="inside", time_steps=3)], name="inner"
    )
    events, image = keras.Input((3, 4)), keras.Input((4,))
    y = inner(EventFrames()(events))
    z = LIF(name="still")(DirectEncoding(3)(layers.Dense(5)(image)))
    both = layers.Concatenate()([y, z])
    last = LIF(name="last")(layers.Dense(6)(both))
    model = keras.Model([events, image], RateReadout()(layers.Dense(2)(last)))
    rng = np.random.default_rng(0)
    x = [rng.integers(0, 2, (50, 3, 4)).astype("float32"), rng.normal(size=(50, 4))]
    rates = calibrate(model, x)
    assert set(rates) == {"inner/inside", "still", "last"}
    assert all(0.1 < rate < 0.6 for rate in rates.values())


def residual():
    image = keras.Input((4,))
    first = LIF(name="first")(layers.Dense(4, name="a")(image))
    total = layers.Add()([layers.Dense(4, name="b")(first), first])
    return keras.Model(image, layers.Dense(2)(LIF(name="second")(total)))


def rectified():
    stack = [layers.Dense(4, activation="relu"), LIF(name="second"), layers.Dense(2)]
    return keras.Sequential([keras.Input((4,)), *stack])


def shared():
    image, dense = keras.Input((4,)), layers.Dense(4)
    first = LIF(name="second")(dense(image))
    return keras.Model(image, layers.Dense(2)(dense(first)))


def constant():
    zero = layers.Dense(4, kernel_initializer="zeros")
    return keras.Sequential([keras.Input((4,)), zero, LIF(name="second")])


@pytest.mark.parametrize("network", [residual, rectified, shared, constant])
def test_what_is_left_is_named_and_as_it_was(network):
    model = network()
    before = [w.numpy() if hasattr(w, "numpy") else w for w in model.get_weights()]
    x = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")
    with pytest.warns(UserWarning, match="Left as they are: 'second'"):
        calibrate(model, x)
    changed = [
        weight.path.split("/")[0]
        for weight, old in zip(model.weights, before, strict=True)
        if not np.array_equal(keras.ops.convert_to_numpy(weight), old)
    ]
    assert set(changed) <= {"a"}  # the residual network's first layer is calibrated


def test_what_cannot_be_calibrated_is_refused():
    x = images()
    with pytest.raises(ValueError, match="`model` must have spiking layers"):
        calibrate(keras.Sequential([keras.Input((4,)), layers.Dense(2)]), x)
    with pytest.raises(ValueError, match="`deviation` must be"):
        calibrate(small_snn(), x, deviation=0.0)
    with pytest.raises(ValueError, match="`data` must hold"):
        calibrate(small_snn(), x[:, :4])


def test_the_file_is_that_of_a_plain_network(tmp_path):
    model, x = small_snn(), images()
    calibrate(model, x)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(again(x)), keras.ops.convert_to_numpy(model(x))
    )
