"""Ending with a network within the band."""

import keras
import numpy as np
import pytest

from keras_ssp.callbacks.snapshots import Snapshots

pytestmark = pytest.mark.every_backend


def model_of(value):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    put(model, value)
    return model


def put(model, value):
    model.set_weights([np.full((1, 1), value), np.zeros(1)])


def spent(model):
    return float(model.get_weights()[0][0, 0]) ** 2


def test_last_network_within_comes_back():
    kept = Snapshots(0.9, 1.0)
    model = model_of(0.0)
    for value in (0.96, 2.0, 0.98, 0.1):
        put(model, value)
        kept.take(model, spent(model))
    assert kept.settle(model, lambda: spent(model)) == pytest.approx(0.98**2)


@pytest.mark.parametrize(("low", "high"), [(0.97, 1.0), (0.999, 1.0)])
def test_line_between_the_last_above_and_the_last_below(low, high):
    kept = Snapshots(low, high)
    model = model_of(0.0)
    for value in (9.0, -9.0, 0.2, 3.0):  # the last two count
        put(model, value)
        kept.take(model, spent(model))
    found = kept.settle(model, lambda: spent(model))
    assert low <= found <= high
    assert spent(model) == found
    assert 0.2 < model.get_weights()[0][0, 0] < 3.0


def test_without_both_sides_the_model_is_left_alone():
    kept = Snapshots(0.9, 1.0)
    model = model_of(3.0)
    kept.take(model, 9.0)
    put(model, 2.0)
    assert kept.settle(model, lambda: spent(model)) is None
    assert spent(model) == 4.0


def test_a_jump_over_the_band_leaves_the_model_alone():
    kept = Snapshots(0.9, 1.0)
    model = model_of(0.0)

    def jumps():
        return 0.0 if spent(model) < 1.0 else 7.0

    for value in (0.5, 2.0):
        put(model, value)
        kept.take(model, jumps())
    assert kept.settle(model, jumps) is None
    assert spent(model) == 4.0


def test_networks_that_are_not_finite_are_not_kept():
    kept = Snapshots(0.0, 1.0)
    kept.take(model_of(np.nan), 0.5)
    assert not kept.kept


def test_state_comes_back():
    kept, again = Snapshots(0.9, 1.0), Snapshots(0.9, 1.0)
    model = model_of(0.0)
    for value in (0.2, 3.0):
        put(model, value)
        kept.take(model, spent(model))
    again.set_state(*kept.get_state())
    assert again.settle(model, lambda: spent(model)) == kept.settle(
        model, lambda: spent(model)
    )
