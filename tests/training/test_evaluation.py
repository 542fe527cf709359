"""Accuracy and energy of `evaluate` come from one pass over the test data."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_ssp import datasets, energy_report
from keras_ssp.energy.meter import EnergyMeter
from keras_ssp.training import EVALUATION_BATCH, TrainConfig, evaluate
from keras_ssp.training.run import build
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend
DATA = datasets.load("digits").limited(64)
SMALL = TrainConfig(width=0.25, time_steps=2)


class Counted(keras.utils.PyDataset):
    """Batches, and how often each was asked for."""

    def __init__(self, x, size):
        super().__init__()
        self.x, self.size, self.asked = x, size, []

    @property
    def num_batches(self):
        return -(-len(self.x) // self.size)

    def __getitem__(self, k):
        self.asked.append(k)
        return self.x[k * self.size : (k + 1) * self.size]


def test_one_pass_gives_what_two_gave():
    model, x = small_snn(), images(10)
    data = Counted(x, 4)
    report, outputs = EnergyMeter(model).report_and_outputs(data)
    assert data.asked == [0, 1, 2]  # the last batch is not full
    assert report.to_dict() == energy_report(model, x, batch_size=4).to_dict()
    expected = model.predict(x, batch_size=4, verbose=0)
    np.testing.assert_array_equal(outputs, expected)


def test_several_outputs_keep_their_structure():
    inner = small_snn()
    x = keras.Input((8, 8, 2))
    y = inner(x)
    model = keras.Model(x, {"logits": y, "double": keras.layers.Rescaling(2.0)(y)})
    x = images(5)
    _, outputs = EnergyMeter(model).report_and_outputs(x, batch_size=2)
    expected = model.predict(x, batch_size=2, verbose=0)
    assert set(outputs) == {"logits", "double"}
    for name, value in expected.items():
        np.testing.assert_allclose(outputs[name], value, rtol=1e-6)


@pytest.mark.parametrize("activation", ["lif", "relu"])
def test_evaluate_agrees_with_predict_and_energy_report(activation):
    config = dataclasses.replace(SMALL, activation=activation, penalty="none")
    model = build(config, DATA)
    found = evaluate(model, DATA)
    for part, accuracy in (
        ("validation", found.validation_accuracy),
        ("test", found.test_accuracy),
    ):
        inputs = DATA.inputs(part)
        logits = model.predict(inputs.x, batch_size=EVALUATION_BATCH, verbose=0)
        assert accuracy == np.mean(logits.argmax(axis=-1) == inputs.y)
    x = DATA.inputs("test").x
    expected = energy_report(model, x, batch_size=EVALUATION_BATCH)
    assert found.report.to_dict() == expected.to_dict()
