"""Taps: weighted sums of spikes, their compact form, and their config."""

import json

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp.synapses.taps import Tap, compact, full, merge, per_sample, uniform

pytestmark = pytest.mark.every_backend
SIZE = (3, 4, 2)


def spikes(rows=6, size=SIZE, seed=0):
    return (np.random.default_rng(seed).uniform(size=(rows, *size)) < 0.4) * 1.0


def weights(*shape, seed=1):
    return np.random.default_rng(seed).integers(1, 9, shape).astype("float64")


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (3, 1, 1), (1, 4, 1), (1, 1, 2), (3, 4, 1), (3, 4, 2)]
)
def test_rows_are_weighed_and_summed(shape):
    tap, s = Tap(weights(*shape), SIZE), spikes()
    expected = (full(tap.weight, SIZE) * s).sum(axis=(1, 2, 3))
    np.testing.assert_array_equal(ops.convert_to_numpy(tap.per_row(s)), expected)
    assert tap.total == full(tap.weight, SIZE).sum()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_samples_sum_over_taps_and_time(steps):
    taps, s = [Tap(weights(3, 1, 2), SIZE), uniform(2, SIZE)], spikes()
    weight = sum(full(tap.weight, SIZE) for tap in taps)
    expected = (weight * s).sum(axis=(1, 2, 3)).reshape(-1, steps).sum(axis=1)
    found = ops.convert_to_numpy(per_sample(taps, s, steps))
    np.testing.assert_array_equal(found, expected)


def test_no_tap_costs_nothing():
    found = ops.convert_to_numpy(per_sample([], spikes(), 2))
    np.testing.assert_array_equal(found, np.zeros(3))


def test_float16_spikes_are_summed_in_float32():
    size = (300, 300)
    found = uniform(1.0, size).per_row(np.ones((1, *size), "float16"))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert float(ops.convert_to_numpy(found)[0]) == 90_000.0  # float16 ends at 65 504


def test_a_path_is_applied_to_the_spikes_first():
    pool = layers.MaxPooling2D(2)
    tap, s = Tap(weights(1, 2, 1), (1, 2, 2), (pool,)), spikes()
    pooled = s[:, :2].reshape(6, 1, 2, 2, 2, 2).max(axis=(2, 4))
    expected = (tap.weight * pooled).sum(axis=(1, 2, 3))
    found = ops.convert_to_numpy(tap.per_row(ops.convert_to_tensor(s)))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 1), (1, 4, 2), (3, 4, 2)])
def test_compact_gives_the_smallest_array_that_broadcasts(shape):
    weight = weights(*shape)
    found = compact(np.array(full(weight, SIZE)))
    assert found.shape == shape
    np.testing.assert_array_equal(found, weight)


def test_merge_adds_up_what_has_the_same_path():
    pools = [layers.MaxPooling2D(2, name=name) for name in "ab"]
    other = layers.MaxPooling2D(2, padding="same")
    taps = [
        uniform(2, SIZE),
        Tap(weights(3, 1, 1), SIZE),
        *(Tap(np.full((1, 1, 1), 5.0), (1, 2, 2), (pool,)) for pool in pools),
        Tap(np.full((1, 1, 1), 7.0), (2, 2, 2), (other,)),
    ]
    plain, pooled, apart = merge(taps)
    np.testing.assert_array_equal(plain.weight, weights(3, 1, 1) + 2)
    assert pooled.weight.item() == 10.0  # the pools differ in nothing but their names
    assert apart.weight.item() == 7.0


def test_config_round_trip_is_json():
    tap = Tap(weights(1, 2, 1), (1, 2, 2), (layers.MaxPooling2D(2),))
    again = Tap.from_config(json.loads(json.dumps(tap.get_config())))
    np.testing.assert_array_equal(again.weight, tap.weight)
    assert (again.size, again.key()) == (tap.size, tap.key())
    s = ops.convert_to_tensor(spikes())
    np.testing.assert_array_equal(
        ops.convert_to_numpy(again.per_row(s)), ops.convert_to_numpy(tap.per_row(s))
    )
