"""Spike rates of each step and of each neuron, against recorded spikes."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import EnergyReport, energy_report, record
from keras_ssp.layers import LIF, DirectEncoding, EventFrames, RateReadout
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend
X = images(11)


def test_rates_are_those_of_recorded_spikes():
    model = small_snn(threshold=0.4)
    report = energy_report(model, X, batch_size=4, rates=("neuron", "step"))
    recording = record(model, X)
    rows = [row for row in report if row.spiking]
    assert [row.name for row in rows] == list(recording.spikes)
    for row in rows:
        spikes = recording.spikes[row.name].astype("float64")
        np.testing.assert_allclose(row.neuron_rates, spikes.mean((0, 1)), rtol=1e-12)
        flat = spikes.reshape(*spikes.shape[:2], -1)
        np.testing.assert_allclose(row.step_rates, flat.mean((0, 2)), rtol=1e-12)
        assert row.neuron_rates.mean() == pytest.approx(row.rate, rel=1e-12)
        assert len({*row.step_rates}) > 1
    assert all(
        row.step_rates is row.neuron_rates is None for row in set(report) - {*rows}
    )


def test_only_what_is_asked_for_and_nothing_else_changes():
    model = small_snn()
    plain = energy_report(model, X)
    for rates, has in [
        ("step", (True, False)),
        (["neuron"], (False, True)),
        ((), (0, 0)),
    ]:
        report = energy_report(model, X, rates=rates)
        assert report == plain
        row = report["lif1"]
        assert (row.step_rates is not None, row.neuron_rates is not None) == has
    with pytest.raises(ValueError, match="`rates` must be one of 'neuron', 'step'"):
        energy_report(model, X, rates="steps")


def test_files_keep_the_steps_and_not_the_neurons():
    model = small_snn()
    assert "step_rates" not in energy_report(model, X).to_dict()["layers"][1]
    report = energy_report(model, X, rates=("neuron", "step"))
    text = json.loads(report.to_json())
    assert "neuron_rates" not in str(text)
    again = EnergyReport.from_dict(text)
    assert again == report
    np.testing.assert_array_equal(again["lif1"].step_rates, report["lif1"].step_rates)
    other = report.with_energy_model("loihi")["lif1"]
    np.testing.assert_array_equal(other.neuron_rates, report["lif1"].neuron_rates)


def test_padded_steps_are_no_steps():
    frames, mask = keras.Input((4, 3)), keras.Input((4,), dtype="bool")
    y = EventFrames(name="frames")(frames, mask=mask)
    y = LIF(beta=0.0, threshold=0.5, name="lif")(y)
    model = keras.Model([frames, mask], RateReadout()(layers.Dense(2)(y)))
    valid = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]], bool)
    x = np.random.default_rng(0).integers(0, 3, (3, 4, 3)).astype("float32")
    report = energy_report(model, [x, valid], batch_size=2, rates=("neuron", "step"))
    fired = (x > 0) * valid[..., None]  # a rate is at most 1, whatever the counts
    for row in (report["frames"], report["lif"]):
        np.testing.assert_allclose(row.neuron_rates, fired.sum((0, 1)) / valid.sum())
        steps = fired.sum((0, 2))[:3] / (3 * valid.sum(0)[:3])
        np.testing.assert_allclose(row.step_rates[:3], steps)
        assert np.isnan(row.step_rates[3])
        assert row.neuron_rates.mean() == pytest.approx(row.rate)
    kept = EnergyReport.from_dict(json.loads(report.to_json()))["lif"]
    np.testing.assert_array_equal(kept.step_rates, report["lif"].step_rates)


def test_gates_calls_of_a_shared_layer_and_a_subclassed_model():
    shared, x = LIF(threshold=0.3, name="shared"), keras.Input((6,))
    first = shared(DirectEncoding(3)(x))
    gate = layers.Multiply(name="gate")([first, shared(layers.Dense(6)(first))])
    model = keras.Model(x, RateReadout()(layers.Dense(2)(gate)))
    data = images(5, (6,))
    report = energy_report(model, data, rates=("neuron", "step"))
    spikes = record(model, data).spikes
    both = spikes["shared"] * spikes["shared:1"]
    assert report["gate"].neuron_rates == pytest.approx(both.mean((0, 1)))
    assert report["gate"].step_rates == pytest.approx(both.mean((0, 2)))

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.lif = LIF(time_steps=3, fan_out=7, name="lif")

        def call(self, x):
            return self.lif(DirectEncoding(3)(x))

    model = Subclassed()
    model(data)
    row = energy_report(model, data, rates="step")["lif"]
    assert row.step_rates == pytest.approx(record(model, data).over_time()["lif"])
