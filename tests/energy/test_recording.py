"""`record`: spikes and potentials as the layers make them, and what is refused."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp import energy_report, penalize, record
from keras_ssp.layers import LIF, DirectEncoding, EventFrames, RateReadout
from keras_ssp.penalties import SynapticPenalty
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend


def test_spikes_are_those_that_the_report_counts():
    model, x = penalize(small_snn(), SynapticPenalty(1e-6)), images(10)
    before = [ops.convert_to_numpy(w) for w in model.weights]
    found = record(model, x, batch_size=4)
    assert found.samples == 10 and found.time_steps == 3
    assert found.spikes["lif1"].shape == (10, 3, 8, 8, 4)
    assert found.spikes["lif1"].dtype == "uint8"
    for row in energy_report(model, x):
        if row.is_neuron:
            spikes = found.spikes[row.name]
            assert spikes.sum() / 10 == pytest.approx(row.spikes, rel=1e-6)
            assert found.rates()[row.name].mean() == pytest.approx(row.rate, rel=1e-6)
            assert found.over_time()[row.name].mean() == pytest.approx(row.rate)
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), old)
    assert "10 samples: lif1: (10, 3, 8, 8, 4)" in repr(found)


@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
def test_potentials_are_those_of_the_equations(reset):
    model = keras.Sequential(
        [
            keras.Input((5, 4)),
            EventFrames(),
            layers.Dense(6, name="before"),
            LIF(0.7, reset=reset, threshold=0.4, name="lif"),
            layers.Dense(2),
            RateReadout(),
        ]
    )
    x = np.random.default_rng(0).integers(0, 3, (7, 5, 4)).astype("float32")
    found = record(model, x, potentials=True, batch_size=3)
    kernel, bias = model.get_layer("before").get_weights()
    current = x @ kernel + bias
    spikes, potentials = by_hand(current, 0.7, 0.4, reset)
    np.testing.assert_array_equal(found.spikes["lif"], spikes)
    np.testing.assert_allclose(found.potentials["lif"], potentials, atol=1e-5)
    np.testing.assert_array_equal(found.spikes["event_frames"], x)
    assert found.thresholds == {"lif": pytest.approx(0.4)}


def by_hand(current, beta, threshold, reset):
    u = np.zeros_like(current[:, 0])
    spikes, potentials = [], []
    for t in range(current.shape[1]):
        v = beta * u + current[:, t]
        s = (v >= threshold).astype("float32")
        u = {"hard": v * (1 - s), "soft": v - threshold * s, "none": v}[reset]
        spikes.append(s)
        potentials.append(u)
    return np.stack(spikes, 1), np.stack(potentials, 1)


def test_some_layers_and_some_samples():
    found = record(small_snn(), images(10), layers=["lif2"], samples=3, batch_size=2)
    assert list(found.spikes) == ["lif2"] and found.samples == 3
    assert len(found.spikes["lif2"]) == 3 and not found.potentials


def test_a_layer_that_is_called_twice_and_a_nested_one():
    image, twice = keras.Input((4,)), LIF(name="twice", time_steps=2)
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4), LIF(name="in", time_steps=2)], name="inner"
    )
    y = twice(inner(twice(DirectEncoding(2)(image))))
    model = keras.Model(image, RateReadout()(layers.Dense(2)(y)))
    found = record(model, np.ones((3, 4), "float32"), potentials=True)
    assert set(found.spikes) == {"twice", "inner/in", "twice:1"}
    assert set(found.potentials) == set(found.spikes)


def test_subclassed_models_have_spikes():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.lif = layers.Dense(3), LIF(name="lif", fan_out=2)

        def call(self, x):
            return self.lif(self.dense(x))

    model = Net()
    assert record(model, np.ones((4, 2), "float32")).spikes["lif"].shape == (4, 1, 3)
    with pytest.raises(ValueError, match="`potentials` must be False"):
        record(model, np.ones((4, 2), "float32"), potentials=True)


def test_what_cannot_be_recorded_is_refused():
    x = images(4)
    with pytest.raises(ValueError, match="`max_bytes` must be enough.*'lif"):
        record(small_snn(), x, max_bytes=100)
    with pytest.raises(ValueError, match="`layers` must be one of.*Did you mean 'lif"):
        record(small_snn(), x, layers=["lif"])
    plain = keras.Sequential([keras.Input((8, 8, 2)), layers.Flatten()])
    with pytest.raises(ValueError, match="`model` must have layers that emit spikes"):
        record(plain, x)
