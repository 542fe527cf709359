"""Data sets by name: the published ones and one's own."""

import numpy as np
import pytest

from keras_ssp import datasets
from keras_ssp.datasets import Augmentation, ImageData, Split, registry
from keras_ssp.datasets.augmentation import augmentation
from keras_ssp.training import TrainConfig


@pytest.fixture(autouse=True)
def _contained(monkeypatch):
    held = registry._DATA_SETS
    monkeypatch.setattr(held, "_entries", dict(held._entries))


def mine(data_dir):
    x = np.arange(64, dtype="uint8").reshape(4, 4, 4, 1)
    part = Split(x, np.arange(4) % 2)
    choice = Augmentation(pad=3)
    return ImageData("mine", 2, part, part, part, 63.0, augmentation=choice)


def test_one_entry_makes_a_data_set_known_everywhere():
    with pytest.raises(ValueError, match="`data` must be one of.*'mine'"):
        TrainConfig(data="mine")
    assert datasets.register("mine", mine) is mine
    assert datasets.names()[-1] == "mine"
    assert TrainConfig(data="mine").data == "mine"
    data = datasets.load("mine")
    assert augmentation("standard", data) == Augmentation(pad=3)
    assert data.inputs("test").x.max() == 1.0


def test_loader_gets_the_folder():
    seen = []

    @datasets.register("mine")
    def load(data_dir):
        seen.append(data_dir)
        return mine(data_dir)

    datasets.load("mine", data_dir="somewhere")
    assert seen == ["somewhere"]
    with pytest.raises(ValueError, match="`source` and `validation` must be left out"):
        datasets.load("mine", validation=0.3)


def test_taken_names_are_refused_and_close_ones_proposed():
    with pytest.raises(ValueError, match="'digits' is the published data set 'digits'"):
        datasets.register("digits", mine)
    datasets.register("mine", mine)
    datasets.register("mine", mine)  # a notebook cell that is run twice
    with pytest.raises(ValueError, match="`name` must be free: 'mine'"):
        datasets.register("mine", lambda data_dir: mine(data_dir))
    datasets.register("mine", lambda data_dir: mine(data_dir), overwrite=True)
    with pytest.raises(ValueError, match="Did you mean 'fashion_mnist'"):
        datasets.load("fashion_mnits")


@pytest.mark.parametrize("found", [None, "data", mine(None)])
def test_loader_of_something_else(found):
    datasets.register("other", lambda data_dir: found)
    with pytest.raises(ValueError, match="must return an ImageData with name='other'"):
        datasets.load("other")


def test_inputs_are_normalised_where_they_are_asked_for():
    data = mine(None)
    for part in ("train", "validation", "test"):
        inputs = data.inputs(part)
        np.testing.assert_array_equal(inputs.x, data.normalized(data.test.x))
        assert inputs.x is inputs.x and len(inputs) == 4
    few = data.inputs("test").take(3)
    assert few.x.shape == (3, 4, 4, 1) and few.y.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(few.one_hot, [[1, 0], [0, 1], [1, 0]])
    assert data.inputs("test").take(None).x.shape == (4, 4, 4, 1)
    with pytest.raises(ValueError, match="`part` must be one of.*'tset'"):
        data.inputs("tset")
