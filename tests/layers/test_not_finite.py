"""What is not finite stays to be seen; what is empty is no error."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp import SynapticPenalty, energy_report, penalize, penalty_values
from keras_ssp.callbacks import EnergyMonitor
from keras_ssp.energy import EnergyReport
from keras_ssp.layers import (
    LIF,
    DirectEncoding,
    LatencyEncoding,
    PoissonEncoding,
    RateReadout,
)
from tests.helpers import gradients

pytestmark = pytest.mark.every_backend
NAN, INF = float("nan"), float("inf")


def spikes(layer, *values):
    x = np.asarray(values, "float32").reshape(-1, 1)
    return ops.convert_to_numpy(layer(x)).ravel().tolist()


@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
@pytest.mark.parametrize("steps", [3, 20])
def test_an_infinite_potential_fires_and_is_reset(reset, steps):
    lif = LIF(time_steps=steps, reset=reset)
    found = spikes(lif, INF, *[2.0] * (steps - 1))
    assert found == [1.0] * steps


@pytest.mark.parametrize("detach", [False, True])
def test_the_gradient_at_an_infinite_potential_is_finite(detach):
    lif = LIF(time_steps=3, detach_reset=detach)
    x = np.asarray([[INF], [0.5], [0.9]], "float32")
    _, (dx,), _ = gradients(lambda x: ops.sum(lif(x)), [x])
    assert np.all(np.isfinite(dx)), dx


def test_float16_overflow_counts_as_float32_does():
    def summed(policy):
        model = keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(
                    1,
                    kernel_initializer=keras.initializers.Constant(400.0),
                    dtype=policy,
                ),
                DirectEncoding(4, dtype=policy),
                LIF(dtype=policy),
                layers.Dense(1, kernel_initializer="ones", dtype=policy),
                RateReadout("sum", dtype=policy),
            ]
        )
        return model.predict(np.array([[100.0, 100.0], [50.0, 50.0]]), verbose=0)

    assert summed("mixed_float16").ravel().tolist() == [4.0, 4.0]
    assert summed("float32").ravel().tolist() == [4.0, 4.0]


@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
def test_nan_gives_nan_for_a_spike(reset):
    found = spikes(LIF(time_steps=3, reset=reset), 2.0, NAN, 0.0)
    assert found[0] == 1.0
    assert np.isnan(found[1:]).all()


@pytest.mark.parametrize("encode", [PoissonEncoding(2, seed=0), LatencyEncoding(2)])
def test_an_encoding_hands_nan_on(encode):
    found = ops.convert_to_numpy(encode(np.array([[0.5, NAN]], "float32")))
    assert np.isnan(found[:, 1]).all()
    assert np.isfinite(found[:, 0]).all()


def diverged():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6, name="stem"),
            DirectEncoding(2),
            LIF(name="lif"),
            layers.Dense(3),
            RateReadout(),
        ]
    )
    kernel, bias = model.get_layer("stem").get_weights()
    kernel[0, 0] = NAN
    model.get_layer("stem").set_weights([kernel, bias])
    return penalize(model, SynapticPenalty(1e-3))


def test_a_network_that_is_not_finite_never_looks_cheap():
    model, x = diverged(), np.ones((5, 4), "float32")
    report = energy_report(model, x)
    assert not report.finite
    assert np.isnan([report.synops, report.energy_pj, report.rate]).all()
    row = next(row for row in report.layers if row.name == "lif")
    assert row.flags == ("not finite",)
    assert "the network has diverged" in str(report)
    assert np.isnan(penalty_values(model, x)["lif"])
    again = EnergyReport.from_dict(report.to_dict())
    assert np.isnan(again.synops)
    assert again.layers[-1].flags == ("not finite",)
    assert "null" in report.to_json()
    assert "NaN" not in report.to_json()
    model.compile("sgd", "mse")
    monitor = EnergyMonitor(x)
    history = model.fit(x, np.ones((5, 3)), callbacks=[monitor], verbose=0).history
    for name in ("loss", "val_energy_pj", "val_synops", "val_synaptic_energy_pj"):
        assert np.isnan(history[name][0]), name


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_an_empty_batch_is_no_error_and_costs_nothing(steps):
    for layer in (
        LIF(time_steps=steps),
        RateReadout(time_steps=steps),
        DirectEncoding(steps),
        LatencyEncoding(steps),
        PoissonEncoding(steps),
    ):
        assert ops.convert_to_numpy(layer(np.zeros((0, 3), "float32"))).shape == (0, 3)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            DirectEncoding(steps),
            LIF(),
            layers.Dense(2),
            RateReadout(),
        ]
    )
    penalize(model, SynapticPenalty(1.0))
    model(np.zeros((0, 3), "float32"))
    assert sum(float(ops.convert_to_numpy(each)) for each in model.losses) == 0.0


def test_double_precision_is_double():
    lif = LIF(beta=0.0, threshold=0.9, dtype="float64")
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is turned on")
    assert ops.convert_to_numpy(lif(np.array([[0.89999998]]))).item() == 0.0
    lif = LIF(beta=0.9, reset="none", time_steps=12, dtype="float64")
    lif.return_potential = True
    x = np.random.default_rng(0).normal(size=(12, 1))
    _, u = lif(x)
    potential, expected = 0.0, []
    for value in x.ravel():
        potential = 0.9 * potential + value
        expected.append(potential)
    np.testing.assert_allclose(ops.convert_to_numpy(u).ravel(), expected, atol=1e-14)
