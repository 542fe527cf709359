"""Loops over chunks of steps: at every T around a border, by hand in NumPy."""

import keras
import numpy as np
import pytest

from keras_ssp import LIF
from tests.helpers import gradients

pytestmark = pytest.mark.every_backend


def by_hand(x, weights, beta, threshold):
    """Spikes, potentials, and the gradients of `sum(weights * [s, u])`, step by step.

    The hard reset, and the triangle of width 1 for the derivative of a spike.
    """
    steps = x.shape[1]
    before, v = np.zeros((steps + 1, *x[:, 0].shape)), np.zeros((steps, *x[:, 0].shape))
    for t in range(steps):
        v[t] = beta * before[t] + x[:, t]
        before[t + 1] = np.where(v[t] >= threshold, 0.0, v[t])
    s = (v >= threshold).astype(float)
    dx, du, d_beta, d_threshold = np.zeros_like(x), 0.0, 0.0, 0.0
    for t in reversed(range(steps)):
        du = du + weights[1][:, t]
        through = np.maximum(0.0, 1.0 - np.abs(v[t] - threshold)) * (
            weights[0][:, t] - du * v[t]
        )
        dx[:, t] = du * (1.0 - s[t]) + through
        d_beta += np.sum(dx[:, t] * before[t])
        d_threshold -= np.sum(through)
        du = beta * dx[:, t]
    outputs = np.stack([s, before[1:]]).transpose(0, 2, 1, 3)
    return outputs, dx, d_beta, d_threshold


@pytest.mark.parametrize(
    "steps", [1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17, 18, 36, 37, 41]
)
def test_around_the_borders_of_chunks(steps):
    rng = np.random.default_rng(steps)
    # Powers of two and multiples of them: potentials are the same in 32 and 64 bits.
    x = rng.integers(-16, 32, (3, steps, 5)) / 16.0
    weights = rng.integers(-8, 8, (2, 3, steps, 5)) / 8.0
    layer = LIF(
        0.5,
        threshold=1.0,
        surrogate="triangle",
        learn_beta=True,
        learn_threshold=True,
        return_potential=True,
        time_steps=steps,
    )
    folded = x.reshape(-1, 5).astype("float32")
    layer(folded)

    def loss(x):
        flat = weights.reshape(2, -1, 5).astype("float32")
        pairs = zip(map(keras.ops.convert_to_tensor, flat), layer(x), strict=True)
        return sum(keras.ops.sum(w * y) for w, y in pairs)

    _, (dx,), (d_beta, d_threshold) = gradients(
        loss, [folded], [layer.beta_weight, layer.threshold_weight]
    )
    outputs, *wanted = by_hand(x, weights, 0.5, 1.0)
    np.testing.assert_allclose(dx.reshape(x.shape), wanted[0], atol=1e-5)
    np.testing.assert_allclose(
        [float(d_beta), float(d_threshold)], wanted[1:], rtol=1e-4, atol=1e-4
    )
    given = layer(folded)
    for values, right in zip(given, outputs, strict=True):
        values = keras.ops.convert_to_numpy(values).reshape(x.shape)
        np.testing.assert_allclose(values, right, atol=1e-6)


@pytest.mark.parametrize("steps", [4, 9])
def test_each_neuron_has_parameters_of_its_own_in_every_chunk(steps):
    """A slip of rows between samples and chunks would mix them."""
    from keras_ssp.kernels import LoopSpec, run_loop

    rng = np.random.default_rng(0)
    x = rng.normal(0.4, 1.0, (4, steps, 7)).astype("float32")
    beta = np.linspace(0.0, 0.9, 7).astype("float32")
    spec = LoopSpec(LIF().dynamics(), steps, (), (False, False))
    tensors = map(keras.ops.convert_to_tensor, (beta, np.float32(1.0)))
    (spikes,) = run_loop(keras.ops.convert_to_tensor(x), tuple(tensors), spec)
    spikes = keras.ops.convert_to_numpy(spikes)
    for sample in range(4):
        for k in range(7):
            u = np.float32(0.0)
            for t in range(steps):
                v = beta[k] * u + x[sample, t, k]
                assert spikes[sample, t, k] == (v >= 1.0)
                u = np.float32(0.0) if v >= 1.0 else v
