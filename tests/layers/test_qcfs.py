"""QCFS against its closed form."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops
from keras.src import testing

from keras_ssp import energy_report
from keras_ssp.layers import LIF, QCFS, DirectEncoding, RateReadout
from tests.helpers import gradients


def staircase(x, levels, threshold):
    """The formula of the paper, in float64."""
    steps = np.floor(np.asarray(x, "float64") * levels / threshold + 0.5)
    return threshold * np.clip(steps / levels, 0, 1)


def clear_of_steps(x, levels, threshold):
    """Values at which rounding cannot move the floor."""
    phase = np.asarray(x, "float64") * levels / threshold + 0.5
    return x[np.abs(phase - np.rint(phase)) > 1e-3]


@pytest.mark.every_backend
@settings(max_examples=20, deadline=None, derandomize=True)
@given(levels=st.integers(1, 32), threshold=st.floats(0.1, 10), seed=st.integers(0, 99))
def test_values(levels, threshold, seed):
    x = np.random.default_rng(seed).uniform(-1, 2, 200) * threshold
    x = clear_of_steps(x, levels, threshold).astype("float32")
    layer = QCFS(levels, initial_threshold=threshold)
    found = ops.convert_to_numpy(ops.stop_gradient(layer(x)))
    np.testing.assert_allclose(found, staircase(x, levels, threshold), rtol=1e-5)


@pytest.mark.every_backend
@pytest.mark.parametrize(("levels", "threshold"), [(1, 1.0), (4, 2.0), (8, 0.3)])
def test_gradients(levels, threshold):
    x = np.random.default_rng(0).uniform(-1, 2, 300) * threshold
    x = clear_of_steps(x, levels, threshold).astype("float32")
    upstream = np.random.default_rng(1).normal(size=x.shape).astype("float32")
    layer = QCFS(levels, initial_threshold=threshold)
    layer.build(x.shape)
    weigh = ops.convert_to_tensor(upstream)
    _, (dx,), (dthreshold,) = gradients(
        lambda x: ops.sum(layer(x) * weigh), [x], [layer.threshold_weight]
    )
    half = threshold / (2 * levels)
    inside = (x >= -half) & (x < threshold - half)
    np.testing.assert_allclose(dx, upstream * inside, rtol=1e-5, atol=1e-6)
    y = staircase(x, levels, threshold)
    slope = np.where(inside, (y - x) / threshold, x >= threshold - half)
    assert dthreshold == pytest.approx((upstream * slope).sum(), rel=1e-4, abs=1e-4)


@pytest.mark.every_backend
def test_edges_of_the_steps():
    # Steps of 0.5: the floor jumps at 0.25, 0.75, ...; all numbers here are exact.
    x = np.array([-9, -0.25, 0.2499, 0.25, 0.75, 1.7499, 1.75, 9], "float32")
    found = ops.convert_to_numpy(
        ops.stop_gradient(QCFS(4, initial_threshold=2.0)(x))
    ).tolist()
    assert found == [0, 0, 0, 0.5, 1, 1.5, 2, 2]
    # The gradient is 1 from the first edge on, and 0 from the last one on.
    layer = QCFS(4, initial_threshold=2.0)
    layer.build(x.shape)
    _, (dx,), _ = gradients(lambda x: ops.sum(layer(x)), [x], [layer.threshold_weight])
    assert dx.tolist() == [0, 1, 1, 1, 1, 1, 0, 0]


@pytest.mark.every_backend
@pytest.mark.parametrize("steps", [1, 3, 4, 20])
def test_equals_the_rate_of_an_integrate_and_fire_neuron(steps):
    threshold = 0.75
    x = np.random.default_rng(0).uniform(-0.5, 1.2, 200)
    x = clear_of_steps(x, steps, threshold).astype("float32")[:, None]
    neuron = LIF(
        1.0,
        threshold=threshold,
        reset="soft",
        initial_potential=threshold / 2,
        time_steps=steps,
    )
    spikes = neuron(np.repeat(x, steps, axis=0))
    rate = ops.convert_to_numpy(RateReadout(time_steps=steps)(spikes))
    expected = staircase(x, steps, threshold)
    np.testing.assert_allclose(threshold * rate, expected, rtol=1e-5)


@pytest.mark.every_backend
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_16_bits_take_the_same_steps(policy):
    x = np.linspace(-1, 3, 41).astype("float16").astype("float32")
    layer, exact = QCFS(8, dtype=policy), QCFS(8)
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == layer.compute_dtype
    assert layer.threshold_weight.dtype == "float32"
    wide = ops.convert_to_numpy(ops.stop_gradient(ops.cast(y, "float32")))
    expected = ops.convert_to_numpy(ops.stop_gradient(exact(x)))
    np.testing.assert_allclose(wide, expected, rtol=5e-3)


@pytest.mark.every_backend
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_threshold_learns(policy, jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch.compile needs a C++ compiler at run time")
    layer = QCFS(8, initial_threshold=1.0, dtype=policy)
    model = keras.Sequential([keras.Input((4,)), layer])
    x = np.random.default_rng(0).uniform(0, 3, (64, 4)).astype("float32")
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=jit_compile)
    history = model.fit(x, np.minimum(x, 2.0), epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.2 * history[0]
    assert layer.threshold == pytest.approx(2.0, abs=0.2)


def test_threshold_stays_positive():
    layer = QCFS(4, initial_threshold=0.1)
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.SGD(100.0), "mse")
    model.train_on_batch(np.full((8, 4), 9.0), np.full((8, 4), -9.0))
    assert 0 < layer.threshold < 1e-6
    assert np.all(np.isfinite(model.predict(np.zeros((2, 4)), verbose=0)))


def test_round_trips(tmp_path):
    layer = QCFS(6, initial_threshold=1.5, name="qcfs")
    assert QCFS.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer.threshold == 1.5  # before it is built
    model = keras.Sequential([keras.Input((3, 2)), layer])
    layer.threshold_weight.assign(0.7)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(5, 3, 2)).astype("float32")
    np.testing.assert_array_equal(again(x), model(x))
    assert again.layers[-1].threshold == pytest.approx(0.7)


def test_keras_contract():
    class Contract(testing.TestCase):
        def runTest(self):
            self.run_layer_test(
                QCFS,
                init_kwargs={"levels": 4},
                input_shape=(4, 3),
                expected_output_shape=(4, 3),
                expected_num_trainable_weights=1,
                expected_num_non_trainable_weights=0,
                expected_num_losses=0,
                supports_masking=True,
                assert_built_after_instantiation=False,
            )

    contract = Contract()
    contract.setUp()
    contract.runTest()


def test_energy_count_takes_it_for_an_activation():
    parts = [keras.Input((4,)), layers.Dense(8), QCFS(4), layers.Dense(3)]
    report = energy_report(keras.Sequential(parts), np.ones((2, 4), "float32"))
    assert report.macs == 4 * 8 + 8 * 3
    spiking = [keras.Input((4,)), DirectEncoding(2), LIF(), QCFS(4), layers.Dense(3)]
    model = keras.Sequential([*spiking, RateReadout()])
    with pytest.raises(
        ValueError, match="receives spikes and turns them into analogue"
    ):
        energy_report(model, np.ones((2, 4), "float32"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": 0}, "`levels` must be a positive integer. Received: levels=0"),
        ({"levels": 2.5}, "`levels` must be a positive integer"),
        (
            {"levels": 4, "initial_threshold": 0},
            "`initial_threshold` must be a finite number above 0",
        ),
        (
            {"levels": 4, "initial_threshold": float("nan")},
            "`initial_threshold` must be a finite number above 0",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        QCFS(**arguments)
