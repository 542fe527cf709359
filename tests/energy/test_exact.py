"""SynOps are whole numbers, and stay exact beyond what one float32 can hold."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from keras_ssp import SynapticPenalty, energy_report, penalize, penalty_values
from keras_ssp.layers import LIF, EventFrames, RateReadout
from keras_ssp.synapses.sums import joined
from keras_ssp.synapses.taps import Tap, exact_per_sample, per_sample, uniform

pytestmark = pytest.mark.every_backend


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 40)),
    shared=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    largest=st.sampled_from([3, 5000, 90_000]),
    most=st.sampled_from([1, 3000]),
    steps=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_sums_of_whole_numbers_are_exact(size, shared, largest, most, steps, seed):
    rng = np.random.default_rng(seed)
    shape = tuple(1 if one else n for one, n in zip(shared, size, strict=True))
    weight = rng.integers(0, largest + 1, shape).astype("float64")
    events = rng.integers(0, most + 1, (2 * steps, *size))
    expected = (np.broadcast_to(weight, size) * events).sum((1, 2, 3))
    expected = expected.reshape(2, steps).sum(1)
    tap, x = Tap(weight, size), ops.convert_to_tensor(events.astype("float32"))
    found = joined(exact_per_sample([tap], x, steps, binary=most == 1))
    np.testing.assert_array_equal(found, expected)
    in_the_loss = ops.convert_to_numpy(per_sample([tap], x, steps))
    np.testing.assert_allclose(in_the_loss, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("neurons", "units", "expected"),
    [(2**24 + 1, 1, 2**24 + 1), (2**20 + 1, 17, 17_825_809)],
)
def test_more_than_a_float32_can_hold(neurons, units, expected):
    tap = uniform(float(units), (neurons,))
    spikes = ops.ones((1, neurons))
    assert joined(exact_per_sample([tap], spikes, 1, binary=True)) == expected


def test_event_counts_beyond_two_to_the_24():
    model = keras.Sequential(
        [keras.Input((1, 2)), EventFrames(), layers.Dense(1), RateReadout()]
    )
    data = np.array([[[2.0**24 + 2, 1.0]]], "float32")
    assert energy_report(model, data).synops == 2**24 + 3


def test_large_counts_in_report_and_penalty():
    model = keras.Sequential(
        [
            keras.Input((64, 64, 16)),
            LIF(name="lif"),
            layers.Conv2D(512, 3, padding="same"),
            layers.GlobalAveragePooling2D(),
        ]
    )
    penalize(model, SynapticPenalty(1.0, p=50))
    expected = 16 * 512 * (3 * 64 - 2) ** 2
    x = np.full((1, 64, 64, 16), 2.0, "float32")
    assert energy_report(model, x).synops == expected
    omega = penalty_values(model, x)["lif"]
    assert 50 * omega == pytest.approx(expected, rel=1e-7)


def test_a_large_p_keeps_the_value():
    model = keras.Sequential([keras.Input((6,)), LIF(name="lif"), layers.Dense(1)])
    penalize(model, SynapticPenalty(1.0, p=50))
    omega = penalty_values(model, np.full((1, 6), 2.0))["lif"]
    assert omega == pytest.approx(0.12, rel=1e-7)


def test_the_loss_is_exact_to_a_millionth_under_xla():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("XLA compiles the whole loss on TensorFlow")
    import tensorflow as tf

    weight = np.full((224, 224, 1), 576.0)
    weight[[0, -1]] = weight[:, [0, -1]] = 384.0
    tap = Tap(weight, (224, 224, 16))
    compiled = tf.function(lambda x: per_sample([tap], x, 8), jit_compile=True)
    found = float(compiled(tf.ones((8, 224, 224, 16)))[0])
    assert found == pytest.approx(8 * 16 * weight.sum(), rel=1e-6)
