"""Theorem 3.4 of arXiv 2302.01500 on random graphs: p * E_AC * Omega_l = E_l."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from keras_ssp import SynapticPenalty, energy_report, penalize, penalty_values
from keras_ssp.layers import LIF, DirectEncoding, RateReadout

pytestmark = pytest.mark.every_backend


def random_network(rng, steps):
    """A random convolutional graph: branches, sums, joins, all kinds of pooling."""
    x = keras.Input((8, 8, 2))
    y = layers.Conv2D(4, 3, padding="same")(x)
    y = LIF(threshold=0.2)(DirectEncoding(steps)(y))
    for _ in range(int(rng.integers(1, 4))):
        y = block(rng, y)
    head = rng.choice(["flatten", "average", "maximum"])
    if head == "average":
        y = layers.GlobalAveragePooling2D()(y)
    elif head == "maximum":
        y = layers.GlobalMaxPooling2D()(y)
    y = layers.Dense(3)(layers.Flatten()(y))
    return keras.Model(x, RateReadout()(y))


def conv(rng, y, filters, strides=1):
    y = layers.Conv2D(
        filters,
        int(rng.integers(1, 4)),
        strides=strides,
        padding="same",
        groups=int(rng.choice([1, 2])),
    )(y)
    return layers.BatchNormalization()(y)


def block(rng, y):
    kind = rng.choice(["plain", "residual", "spike sum", "join", "pool", "separable"])
    neuron = {"threshold": 0.1, "reset": str(rng.choice(["hard", "soft"]))}
    if kind == "residual":
        return LIF(**neuron)(layers.Add()([conv(rng, y, y.shape[-1]), y]))
    if kind == "spike sum":
        return layers.Add()([LIF(**neuron)(conv(rng, y, y.shape[-1])), y])
    if kind == "join":
        return layers.Concatenate()([LIF(**neuron)(conv(rng, y, 4)), y])
    if kind == "pool" and y.shape[1] >= 2:
        y = LIF(**neuron)(conv(rng, y, 4))
        pool = rng.choice([layers.AveragePooling2D, layers.MaxPooling2D])
        return pool(2, padding=str(rng.choice(["same", "valid"])))(y)
    if kind == "separable":
        y = layers.SeparableConv2D(4, 3, padding="same")(y)
        return LIF(**neuron)(y)
    return LIF(**neuron)(conv(rng, y, 4, strides=int(rng.choice([1, 2]))))


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 10_000),
    p=st.sampled_from([1, 1.5, 2, 3]),
    steps=st.sampled_from([1, 2, 4]),
)
def test_penalty_is_exactly_proportional_to_the_energy(seed, p, steps):
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    try:
        model = penalize(random_network(rng, steps), SynapticPenalty(1e-9, p=p))
    except ValueError as error:  # a max pool over a sum has no count per neuron
        assert "before the max pooling" in str(error)
        return
    x = rng.normal(size=(5, 8, 8, 2)).astype("float32")
    report = energy_report(model, x, batch_size=3)
    omega = penalty_values(model, x, batch_size=3)
    rows = [row for row in report.layers if row.kind == "lif"]
    assert {row.name for row in rows} == set(omega)
    assert sum(row.energy_pj for row in rows) > 0
    for row in rows:
        assert p * 0.9 * omega[row.name] == pytest.approx(row.energy_pj, rel=1e-6)
    total = p * 0.9 * sum(omega.values())
    assert total == pytest.approx(report.synaptic_energy_pj, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_synops_equal_an_explicit_count(seed):
    """SynOps against loops over spikes, weights and time in NumPy."""
    rng = np.random.default_rng(seed)
    x = keras.Input((6, 6, 2))
    s = LIF(threshold=0.5, name="lif")(DirectEncoding(3)(x))
    y = layers.Conv2D(4, 3, padding="same", strides=int(rng.integers(1, 3)))(s)
    model = keras.Model(x, RateReadout()(layers.Flatten()(y)))
    data = rng.uniform(size=(3, 6, 6, 2)).astype("float32")
    spikes = keras.ops.convert_to_numpy(keras.Function(x, s)(data))
    stride, out = model.layers[3].strides[0], y.shape[1]
    pad = max((out - 1) * stride + 3 - 6, 0) // 2
    count = 0
    for row in spikes:
        for i, j in np.ndindex(out, out):
            top, left = i * stride - pad, j * stride - pad
            window = row[max(top, 0) : top + 3, max(left, 0) : left + 3]
            count += 4 * window.sum()
    assert energy_report(model, data).synops == pytest.approx(count / 3, rel=1e-7)
