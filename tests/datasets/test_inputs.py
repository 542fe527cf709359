"""Batches of inputs, in every form that Keras takes data in."""

import keras
import numpy as np
import pytest

from keras_ssp import energy_report
from keras_ssp.datasets.inputs import first_inputs, input_batches
from tests.helpers import images, small_snn

X = images(10)
Y = np.arange(10)


def two_inputs():
    a, b = keras.Input((3,)), keras.Input((3,))
    return keras.Model([a, b], keras.layers.Add()([a, b]))


def rows(data, model):
    return [len(batch) for batch in input_batches(data, model, 4)]


@pytest.mark.parametrize("container", [tuple, list])
def test_batches_of_inputs_and_targets(container):
    model = small_snn()
    batches = [container((X[:4], Y[:4])), container((X[4:], Y[4:]))]
    assert rows(batches, model) == [4, 6]
    weighted = [container((X[:4], Y[:4], np.ones(4)))]
    assert rows(weighted, model) == [4]
    expected = energy_report(model, X).synops
    assert energy_report(model, batches).synops == pytest.approx(expected)


def test_a_torch_loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = torch.utils.data.DataLoader(data, batch_size=3)
    model = small_snn()
    expected = energy_report(model, X).synops
    assert energy_report(model, loader).synops == pytest.approx(expected)
    first_inputs(loader, model, 4)


def test_a_list_of_inputs_is_no_pair_of_inputs_and_targets():
    a = np.ones((6, 3), "float32")
    found = list(input_batches([[a[:2], a[:2]], [a[2:], a[2:]]], two_inputs(), 4))
    assert [len(batch) for batch in found] == [2, 2]
    assert [len(batch) for batch in input_batches([a, a], two_inputs(), 4)] == [2, 2]


@pytest.mark.parametrize("data", [[], {}, (), None, 3, "x", np.array(1.0), [[]]])
def test_what_is_no_data_is_refused_by_name(data):
    with pytest.raises(ValueError, match="`data` must"):
        list(input_batches(data, small_snn(), 4))
