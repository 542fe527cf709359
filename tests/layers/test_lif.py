"""LIF against NumPy: every option, every backend, compiled and not, short and long."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from keras_ssp import surrogates
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from tests.helpers import gradients, images, small_snn
from tests.reference.lif_numpy import lif_backward, lif_forward

pytestmark = pytest.mark.every_backend
OPTIONS = list(itertools.product(["hard", "soft", "none"], [False, True]))


def triangle(x):
    return np.maximum(0.0, 1.0 - np.abs(x))


def currents(batch, steps, neurons, *, seed=0, **neuron):
    """Random input whose potentials all stay clear of the threshold."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.5, 1.6, (batch, steps, neurons)).astype("float32")
    for _ in range(200):
        _, v, _ = lif_forward(x, **neuron)
        near = np.abs(v - neuron["threshold"]) < 1e-3
        if not near.any():
            return x
        x = (x + 0.01 * near).astype("float32")
    raise AssertionError("no clear input found")


def fold(x):
    return x.reshape(-1, *x.shape[2:])


def check_against_numpy(steps, reset, detach, *, beta, threshold, initial):
    neuron = {
        "beta": beta,
        "threshold": threshold,
        "reset": reset,
        "initial_potential": initial,
    }
    x = currents(3, steps, 5, **neuron)
    rng = np.random.default_rng(1)
    ds, du = rng.normal(size=(2, *x.shape))
    layer = LIF(
        surrogate="triangle",
        **neuron,
        detach_reset=detach,
        learn_beta=True,
        learn_threshold=True,
        return_potential=True,
        time_steps=steps,
    )
    layer.build((None, 5))

    weigh_s, weigh_u = (ops.convert_to_tensor(fold(w), "float32") for w in (ds, du))

    def loss(folded):
        s, u = layer(folded)
        return ops.sum(s * weigh_s) + ops.sum(u * weigh_u)

    _, (dx,), (dbeta, dthreshold) = gradients(
        loss, [fold(x)], [layer.beta_weight, layer.threshold_weight]
    )
    s, u = (ops.convert_to_numpy(ops.stop_gradient(y)) for y in layer(fold(x)))
    expected_s, _, expected_u = lif_forward(x, **neuron)
    np.testing.assert_array_equal(s, fold(expected_s))
    np.testing.assert_allclose(u, fold(expected_u), atol=1e-5, rtol=1e-5)
    expected = lif_backward(
        x, ds, du, detach_reset=detach, derivative=triangle, **neuron
    )
    scale = np.abs(expected["dx"]).max()
    np.testing.assert_allclose(dx / scale, fold(expected["dx"]) / scale, atol=1e-5)
    assert dbeta == pytest.approx(expected["dbeta"], rel=1e-4, abs=1e-3)
    assert dthreshold == pytest.approx(expected["dthreshold"], rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(("reset", "detach"), OPTIONS)
@pytest.mark.parametrize("steps", [1, 4, 17])  # 17 steps are not unrolled
def test_forward_and_backward_against_numpy(reset, detach, steps):
    check_against_numpy(steps, reset, detach, beta=0.5, threshold=1.0, initial=0.25)


@pytest.mark.parametrize("beta", [0.0, 1.0])
@pytest.mark.parametrize(("reset", "detach"), OPTIONS)
def test_extreme_leaks_against_numpy(beta, reset, detach):
    check_against_numpy(4, reset, detach, beta=beta, threshold=0.7, initial=-0.3)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    beta=st.floats(0, 1),
    threshold=st.floats(0.2, 3),
    initial=st.floats(-1, 1),
    options=st.sampled_from(OPTIONS),
    steps=st.integers(1, 5),
)
def test_any_neuron_against_numpy(beta, threshold, initial, options, steps):
    beta, threshold = float(np.float32(beta)), float(np.float32(threshold))
    check_against_numpy(
        steps, *options, beta=beta, threshold=threshold, initial=float(initial)
    )


def test_neuron_fires_at_the_threshold():
    spikes = LIF(threshold=1.0)(np.array([[1.0, np.nextafter(np.float32(1), 0)]]))
    np.testing.assert_array_equal(ops.convert_to_numpy(spikes), [[1.0, 0.0]])


@pytest.mark.parametrize("steps", [2, 20])
def test_a_neuron_at_the_threshold_is_reset_in_the_backward_pass_too(steps):
    """What came before a hard reset does not matter after it."""
    how = {"reset": "hard", "detach_reset": True, "learn_beta": True}
    layer = LIF(beta=1.0, surrogate="triangle", time_steps=steps, **how)
    x = np.zeros((steps, 1), "float32")
    x[0], x[1] = 1.0, 0.5  # exactly at the threshold, then half of it
    layer.build(x.shape)
    weigh = np.zeros_like(x)
    weigh[1] = 1.0
    weigh = ops.convert_to_tensor(weigh)
    _, (dx,), _ = gradients(
        lambda x: ops.sum(layer(x) * weigh), [x], [layer.beta_weight]
    )
    np.testing.assert_array_equal(dx.ravel()[:2], [0.0, 0.5])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_spikes_are_exactly_0_or_1_in_the_policy_dtype(dtype):
    layer = LIF(time_steps=4, dtype=dtype)
    spikes = layer(images(8, (6,)))
    assert keras.backend.standardize_dtype(spikes.dtype) == dtype
    values = set(ops.convert_to_numpy(ops.cast(spikes, "float32")).ravel())
    assert values == {0.0, 1.0}


def test_16_bit_potentials_do_not_lose_small_currents():
    # 3000 currents of 1/1024: summed in float16 they would stall at 2.
    steps = 3000
    x = np.full((steps, 1), 1 / 1024, "float16")
    layer = LIF(
        beta=1.0, threshold=2.5, reset="none", time_steps=steps, dtype="float16"
    )
    spikes = ops.convert_to_numpy(layer(x)).astype("float64")
    assert spikes.sum() == steps - 2.5 * 1024 + 1


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("steps", [4, 20])
def test_compiled_and_uncompiled_training_agree(jit_compile, steps):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch.compile needs a C++ compiler at run time")
    x, y = images(8), np.ones((8, 5), "float32")
    weights = []
    for compiled in (False, jit_compile):
        keras.utils.set_random_seed(1)
        learned = {"learn_beta": True, "learn_threshold": True}
        model = small_snn(steps, threshold=0.3, **learned)
        model.compile(keras.optimizers.SGD(1e-2), "mse", jit_compile=compiled)
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_long_sequences_train():
    steps = 500
    model = keras.Sequential(
        [
            keras.Input((3,)),
            DirectEncoding(steps),
            layers.Dense(4),
            LIF(beta=0.9),
            layers.Dense(2),
            RateReadout(),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(16, 3))
    history = model.fit(x, np.abs(x[:, :2]), epochs=4, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert history[-1] < history[0]


def test_learned_parameters_stay_within_their_bounds():
    lif = LIF(0.5, learn_beta=True, learn_threshold=True, time_steps=2)
    model = keras.Sequential(
        [keras.Input((4,)), lif, layers.Dense(2), RateReadout(time_steps=2)]
    )

    class Pull(keras.losses.Loss):
        def call(self, y_true, y_pred):
            away = 1e3 * (lif.beta_weight - 2.0) ** 2 + 1e3 * lif.threshold_weight
            return ops.mean(y_pred, axis=-1) + away

    model.compile(keras.optimizers.SGD(1.0), Pull())
    # Folded by hand: two rows per sample, so targets have as many rows as inputs.
    model.train_on_batch(np.ones((8, 4)), np.ones((8, 2)))
    assert float(ops.convert_to_numpy(lif.beta_weight)) == 1.0
    assert 0 < float(ops.convert_to_numpy(lif.threshold_weight)) < 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": 1.01}, r"`beta` must be a number in \[0, 1\]. Received: beta=1.01"),
        ({"beta": -0.1}, "`beta` must be a number in"),
        ({"beta": float("nan")}, "`beta` must be a number in"),
        ({"threshold": 0}, "`threshold` must be a finite number above 0"),
        ({"threshold": float("inf")}, "`threshold` must be a finite number above 0"),
        ({"reset": "subtraction"}, "`reset` must be one of 'hard', 'soft', 'none'"),
        ({"surrogate": "tirangle"}, "`surrogate` must be.*tirangle"),
        ({"initial_potential": float("nan")}, "`initial_potential` must be a finite"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LIF(**arguments)


def test_input_needs_a_feature_axis():
    with pytest.raises(ValueError, match="batch axis and at least one more"):
        LIF()(np.ones((3,), "float32"))


@pytest.mark.parametrize("name", surrogates.names())
def test_config_round_trip(name):
    layer = LIF(
        0.9,
        threshold=0.4,
        reset="soft",
        surrogate=name,
        detach_reset=True,
        learn_beta=True,
        initial_potential=0.1,
        return_potential=True,
        time_steps=2,
        fan_out=[1.0, 2.0, 3.0],
    )
    again = LIF.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.surrogate == layer.surrogate


def test_potential_output_feeds_other_layers():
    x = keras.Input((4,))
    spikes, potential = LIF(return_potential=True)(DirectEncoding(3)(x))
    y = layers.Concatenate()([spikes, potential])
    model = keras.Model(x, RateReadout("last")(layers.Dense(2)(y)))
    assert model(np.ones((5, 4), "float32")).shape == (5, 2)


def test_names_that_people_bring():
    """What snnTorch and SpikingJelly call the same things."""
    brought = LIF(tau=2.0, reset="subtract", surrogate="atan")
    own = LIF(0.5, reset="soft", surrogate="arctan")
    assert {**brought.get_config(), "name": 0} == {**own.get_config(), "name": 0}
    assert LIF(tau=4.0, reset="zero").beta == 0.75
    assert LIF(tau=1.0).beta == 0.0
    with pytest.raises(ValueError, match="`tau` must be given in place of"):
        LIF(0.9, tau=2.0)
    with pytest.raises(ValueError, match="`tau` must be"):
        LIF(tau=0.5)
    with pytest.raises(ValueError, match="Did you mean 'soft'"):
        LIF(reset="sof")
