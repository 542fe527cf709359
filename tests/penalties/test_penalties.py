"""The penalty family: closed forms, gradients, how it is put on and taken off."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp import (
    BalancedPenalty,
    SpikeCountPenalty,
    SynapticPenalty,
    SynOpsTarget,
    energy_report,
    penalize,
    penalty_values,
    set_penalty_weight,
)
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from tests.helpers import gradients, images, small_snn

pytestmark = pytest.mark.every_backend
POWERS = [1, 1.5, 2, 3]


def dense_snn(time_steps=2):
    """Identity in front of the spikes, so that the input decides who fires."""
    return keras.Sequential(
        [
            keras.Input((4,)),
            DirectEncoding(time_steps),
            LIF(beta=0.0, name="a"),
            layers.Dense(6, name="wide", kernel_initializer="ones"),
            LIF(beta=0.0, name="b"),
            layers.Dense(3),
            RateReadout(),
        ]
    )


FIRE = np.array([[2.0, 0, 2, 0], [2.0, 0, 0, 0]], "float32")  # 2 and 1 of 4 fire
# Spikes per sample: layer a (2 + 1) / 2 * T, layer b 6 * T (ones kernel).
SPIKES = {"a": 1.5 * 2, "b": 6 * 2}
FAN_OUT = {"a": 6, "b": 3}
NEURONS = {"a": 4, "b": 6}


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize(
    ("penalty", "weight"),
    [
        (SynapticPenalty, FAN_OUT.__getitem__),
        (SpikeCountPenalty, lambda name: 1.0),
        (BalancedPenalty, lambda name: 1.0 / NEURONS[name]),
    ],
)
@pytest.mark.parametrize("normalize", [False, True])
def test_values_against_closed_forms(penalty, weight, p, normalize):
    model = penalize(dense_snn(), penalty(1.0, p=p, normalize=normalize))
    largest = sum(2 * NEURONS[k] * weight(k) for k in SPIKES) if normalize else 1.0
    expected = {k: n * weight(k) / p / largest for k, n in SPIKES.items()}
    assert penalty_values(model, FIRE) == pytest.approx(expected, rel=1e-6)


def test_synops_target_against_closed_form():
    model = penalize(dense_snn(), SynOpsTarget(3.0, target=40.0))
    synops = sum(SPIKES[k] * FAN_OUT[k] for k in SPIKES)
    model(FIRE)
    expected = 3.0 * ((synops - 40.0) / 40.0) ** 2
    loss = sum(ops.convert_to_numpy(loss).item() for loss in model.losses)
    assert loss == pytest.approx(expected, rel=1e-6)


def test_synops_target_is_added_in_fit_and_evaluate():
    model = dense_snn()
    model.compile("sgd", "mse")
    zeros = np.zeros((2, 3))
    plain = model.evaluate(FIRE, zeros, verbose=0)
    penalize(model, SynOpsTarget(3.0, target=40.0))
    extra = 3.0 * ((sum(SPIKES[k] * FAN_OUT[k] for k in SPIKES) - 40.0) / 40.0) ** 2
    for _ in range(2):
        loss = model.evaluate(FIRE, zeros, verbose=0)
        assert loss - plain == pytest.approx(extra, rel=1e-5)


def test_shared_layer_is_weighed_by_what_each_call_drives():
    x = keras.Input((4,))
    lif = LIF(beta=0.0, name="lif")
    y = lif(layers.Dense(4, kernel_initializer="ones")(lif(x)))
    model = keras.Model(x, layers.Dense(7)(y))
    model.compile("sgd", "mse")
    plain = model.evaluate(FIRE, np.zeros((2, 7)), verbose=0)
    penalize(model, SynapticPenalty(1.0))
    assert penalty_values(model, FIRE) == {"lif": 1.5 * 4, "lif:1": 4 * 7}
    loss = model.evaluate(FIRE, np.zeros((2, 7)), verbose=0)
    assert loss - plain == pytest.approx(1.5 * 4 + 4 * 7)


def test_penalty_is_added_to_the_loss():
    model = dense_snn()
    model.compile("sgd", "mse")
    plain = model.evaluate(FIRE, np.zeros((2, 3)), verbose=0)
    penalize(model, SynapticPenalty(0.25))
    omega = sum(penalty_values(model, FIRE).values())
    penalised = model.evaluate(FIRE, np.zeros((2, 3)), verbose=0)
    assert penalised - plain == pytest.approx(0.25 * omega, rel=1e-5)
    set_penalty_weight(model, 0.5)  # no new trace is needed
    again = model.evaluate(FIRE, np.zeros((2, 3)), verbose=0)
    assert again - plain == pytest.approx(0.5 * omega, rel=1e-5)
    penalize(model, SpikeCountPenalty(0.25))  # replaces
    count = 0.25 * sum(SPIKES.values())
    replaced = model.evaluate(FIRE, np.zeros((2, 3)), verbose=0)
    assert replaced - plain == pytest.approx(count, rel=1e-5)
    penalize(model, None)
    assert model.evaluate(FIRE, np.zeros((2, 3)), verbose=0) == pytest.approx(plain)


@pytest.mark.parametrize("p", POWERS)
def test_gradient_is_psi_times_s_to_the_p_minus_1(p):
    # A constant surrogate lets the gradient through unchanged.
    lif = LIF(beta=0.0, threshold=1.0, surrogate="straight_through", time_steps=1)
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            lif,
            layers.Conv2D(2, 3),
            layers.Flatten(),
            RateReadout(),
        ]
    )
    penalize(model, SynapticPenalty(1.0, p=p))
    x = np.random.default_rng(0).uniform(0, 2, (3, 4, 4, 1)).astype("float32")

    def loss(x):
        model(x)
        return sum(model.losses)

    _, (dx,), _ = gradients(loss, [x])
    axis = np.array([1, 2, 2, 1])
    psi = 2.0 * np.multiply.outer(axis, axis)[None, :, :, None]
    s = (x >= 1).astype("float64")
    expected = psi * np.where(p == 1, 1.0, s ** (p - 1)) / 3  # batch mean
    np.testing.assert_allclose(dx, expected, rtol=1e-6)


class Doubled(SynapticPenalty):
    def value(self, taps, spikes, steps):
        return 2.0 * super().value(taps, spikes, steps)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_a_value_of_its_own_has_its_own_gradient(p):
    model = small_snn(3, threshold=0.3)
    x = images(5)

    def loss(x):
        model(x)
        return sum(model.losses)

    found = []
    for cls in (SynapticPenalty, Doubled):
        penalize(model, cls(1e-3, p=p))
        found.append(gradients(loss, [x], model.trainable_weights[:1])[2])
    assert any(np.any(gradient) for gradient in found[0])
    for gradient, doubled in zip(*found, strict=True):
        np.testing.assert_allclose(doubled, 2.0 * gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("time_steps", [1, 3])
def test_penalty_is_the_energy(p, time_steps):
    model = small_snn(time_steps, threshold=0.3)
    penalize(model, SynapticPenalty(1e-6, p=p))
    x = images(11)
    report = energy_report(model, x, batch_size=4)  # partial last batch
    omega = penalty_values(model, x, batch_size=4)
    for row in report.layers:
        if row.kind == "lif":
            assert row.energy_pj > 0
            assert p * 0.9 * omega[row.name] == pytest.approx(row.energy_pj, rel=1e-6)


def test_penalty_of_16_bit_networks_is_counted_in_32_bit():
    model = keras.Sequential(
        [
            keras.Input((64, 64, 32), dtype="float16"),
            LIF(dtype="float16", name="lif"),
            layers.Conv2D(64, 3, padding="same", dtype="float16"),
            layers.GlobalAveragePooling2D(dtype="float16"),
            RateReadout(dtype="float16"),
        ]
    )
    penalize(model, SynapticPenalty(1.0))
    x = np.full((1, 64, 64, 32), 2, "float16")
    expected = 32 * 64 * (3 * 64 - 2) ** 2  # 7.4e7: far beyond float16
    assert penalty_values(model, x)["lif"] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("cls", [SynapticPenalty, SpikeCountPenalty, BalancedPenalty])
def test_bad_arguments(cls):
    for bad in (-1e-9, float("nan"), float("inf"), "1"):
        with pytest.raises(ValueError, match="`weight` must be a finite number of at"):
            cls(bad)
    for bad in (0.99, 0, float("nan")):
        with pytest.raises(ValueError, match="`p` must be a finite number of at least"):
            cls(1.0, p=bad)


def test_bad_target():
    for bad in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="`target` must be a finite number above"):
            SynOpsTarget(1.0, target=bad)


def test_penalize_rejects_what_it_cannot_do():
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="at least one spiking layer"):
        penalize(plain, SynapticPenalty(1.0))
    with pytest.raises(TypeError, match="`penalty` must be a keras_ssp penalty"):
        penalize(dense_snn(), 1e-8)
    with pytest.raises(ValueError, match="has no penalty"):
        penalty_values(dense_snn(), FIRE)
    with pytest.raises(ValueError, match="has no penalty"):
        set_penalty_weight(dense_snn(), 1.0)
    idle = keras.Sequential(
        [keras.Input((4,)), DirectEncoding(2), LIF(), RateReadout()]
    )
    with pytest.raises(ValueError, match="drives a synapse"):
        penalize(idle, SynapticPenalty(1.0))


@pytest.mark.parametrize(
    "penalty",
    [
        SynapticPenalty(1e-4, p=2, normalize=True),
        SpikeCountPenalty(1e-3),
        BalancedPenalty(0.1, p=1.5),
        SynOpsTarget(0.5, target=300.0),
    ],
)
def test_saved_loaded_and_cloned_with_the_model(tmp_path, penalty):
    model = penalize(small_snn(), penalty)
    model.compile("adam", "mse")
    x, y = images(8), np.ones((8, 5), "float32")
    model.fit(x, y, epochs=1, verbose=0)
    set_penalty_weight(model, 0.125)
    expected = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert repr(loaded.get_layer("lif1").penalty) == repr(penalty)
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)
    cloned = keras.models.clone_model(model)
    cloned.compile("adam", "mse")
    cloned.set_weights(model.get_weights())
    assert cloned.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)
    # Training resumes: both go on alike, optimizer state included.
    first = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history["loss"]
    again = loaded.fit(x, y, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(first, again, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Layer .* is silent:UserWarning")
def test_penalty_trains_the_network_to_spike_less():
    model = penalize(small_snn(), SynapticPenalty(1.0, normalize=True))
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    x, y = images(32), np.zeros((32, 5), "float32")
    before = energy_report(model, x).synops
    model.fit(x, y, epochs=15, batch_size=8, verbose=0)
    assert energy_report(model, x).synops < 0.5 * before


class Subclassed(keras.Model):
    def __init__(self, fan_out=3):
        super().__init__()
        self.encode = DirectEncoding(2)
        self.lif = LIF(beta=0.0, name="lif", time_steps=2, fan_out=fan_out)
        self.dense, self.readout = layers.Dense(3), RateReadout(time_steps=2)

    def call(self, x):
        return self.readout(self.dense(self.lif(self.encode(x))))


def test_subclassed_model_with_fan_out():
    model = Subclassed()
    model(FIRE)
    penalize(model, SynapticPenalty(0.5))
    assert penalty_values(model, FIRE) == {"lif": SPIKES["a"] * 3}
    report = energy_report(model, FIRE)
    assert report.synops == SPIKES["a"] * 3
    assert "NOT counted" in report.notes[0]
    model.compile("sgd", "mse")
    loss = model.evaluate(FIRE, np.asarray(ops.zeros((2, 3))), verbose=0)
    assert loss > 0.5 * SPIKES["a"] * 3


def test_subclassed_model_without_fan_out_is_an_error():
    model = Subclassed(fan_out=None)
    model(FIRE)
    with pytest.raises(ValueError, match="'lif' is in a subclassed model.*`fan_out`"):
        penalize(model, SynapticPenalty(1.0))


def test_fan_out_must_fit():
    with pytest.raises(ValueError, match="`fan_out` must be a finite number"):
        LIF(fan_out=-1)
    model = Subclassed(fan_out=[1.0, 2.0])
    model(FIRE)
    with pytest.raises(ValueError, match="must broadcast against its features"):
        penalize(model, SynapticPenalty(1.0))


def test_nested_model_is_penalised():
    inner = keras.Sequential(
        [keras.Input((4,)), LIF(beta=0.0, time_steps=2, name="a"), layers.Dense(6)],
        name="inner",
    )
    x = keras.Input((4,))
    model = keras.Model(x, RateReadout()(inner(DirectEncoding(2)(x))))
    penalize(model, SynapticPenalty(1.0))
    assert penalty_values(model, FIRE) == {"inner/a": SPIKES["a"] * 6}
    assert energy_report(model, FIRE).synops == SPIKES["a"] * 6


def test_a_penalty_is_evaluated_without_being_put_on_the_model():
    model = penalize(small_snn(), SynapticPenalty(0.5))
    x = images(6)
    expected = {}
    for penalty in (SpikeCountPenalty(1.0), BalancedPenalty(2.0, normalize=True)):
        found = penalty_values(model, x, penalty=penalty)
        other = penalize(keras.models.clone_model(model), penalty)
        other.set_weights(model.get_weights())
        expected[type(penalty)] = penalty_values(other, x)
        assert found == pytest.approx(expected[type(penalty)], rel=1e-6)
    assert model.get_layer("lif1").penalty.weight == 0.5
    bare = small_snn()
    assert penalty_values(bare, x, penalty=SynapticPenalty(1.0))["lif1"] > 0
    assert bare.get_layer("lif1").penalty is None
    with pytest.raises(TypeError, match="must be a keras_ssp penalty"):
        penalty_values(bare, x, penalty="synaptic")
