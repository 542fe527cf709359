"""Any neuron on the shared base: its loop, its gradient, and all that comes with it."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ssp import (
    SynapticPenalty,
    energy_report,
    fan_out,
    layers,
    penalize,
    penalty_values,
    surrogates,
)
from keras_ssp.conversion import convert
from keras_ssp.layers import LIF, DirectEncoding, RateReadout, register_neuron
from keras_ssp.layers.neurons import _NEURONS
from keras_ssp.synapses import register_route, register_synapse
from keras_ssp.synapses.registry import RULES
from tests.helpers import gradients
from tests.layers.neurons import Adaptive, Recurrent

STEPS = [3, 20]  # written out, and a loop
pytestmark = pytest.mark.every_backend


def currents(steps, units=6, batch=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0.4, 1.0, (batch * steps, units)).astype("float32")


def adaptive_reference(layer, x, steps):
    """The adaptive neuron step by step, differentiable by the backend itself."""
    spike = surrogates.get("triangle")
    x = ops.reshape(x, (-1, steps, x.shape[-1]))
    beta = layer.parameter("beta")
    decay = layer.parameter("decay")
    u = a = ops.zeros_like(x[:, 0])
    spikes, potentials = [], []
    for t in range(steps):
        v = beta * u + x[:, t]
        s = spike(v - 1.0 - a)
        u, a = v * (1.0 - s), decay * a + layer.gain * s
        spikes.append(s)
        potentials.append(u)
    return ops.stack(spikes, 1), ops.stack(potentials, 1)


def recurrent_reference(layer, x, steps):
    spike = surrogates.get("triangle")
    x = ops.reshape(x, (-1, steps, x.shape[-1]))
    kernel = layer.parameter("kernel")
    u = s = ops.zeros_like(x[:, 0])
    spikes, potentials = [], []
    for t in range(steps):
        v = layer.beta * u + x[:, t] + ops.matmul(s, kernel)
        s = spike(v - 1.0)
        u = v * (1.0 - s)
        spikes.append(s)
        potentials.append(u)
    return ops.stack(spikes, 1), ops.stack(potentials, 1)


NEURONS = {
    "adaptive": (
        lambda **kw: Adaptive(learn_beta=True, learn_decay=True, **kw),
        adaptive_reference,
    ),
    "recurrent": (Recurrent, recurrent_reference),
}


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", NEURONS)
def test_loop_and_gradient_equal_the_backends_own(name, steps):
    make, reference = NEURONS[name]
    layer = make(time_steps=steps, return_potential=True)
    x = currents(steps)
    layer(x)
    weights = layer.trainable_weights
    assert len(weights) == {"adaptive": 2, "recurrent": 1}[name]
    rng = np.random.default_rng(1)
    on_spikes, on_potential = (
        rng.normal(size=(4, steps, 6)).astype("float32") for _ in range(2)
    )

    def weighed(spikes, potential):
        shape = (4, steps, 6)
        return sum(
            ops.sum(ops.convert_to_tensor(weight) * ops.reshape(y, shape))
            for weight, y in ((on_spikes, spikes), (on_potential, potential))
        )

    found = gradients(lambda x: weighed(*layer(x)), [x], weights)
    expected = gradients(lambda x: weighed(*reference(layer, x, steps)), [x], weights)
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    for a, b in zip([*found[1], *found[2]], [*expected[1], *expected[2]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.fixture
def registered(monkeypatch):
    """`Adaptive` by the name "test_adaptive", for one test."""
    monkeypatch.setattr(_NEURONS, "_entries", dict(_NEURONS._entries))
    monkeypatch.setattr(Adaptive, "kind", "neuron")
    register_neuron("test_adaptive", Adaptive, package="tests")


def adaptive_model(**arguments):
    return keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(8, kernel_initializer="ones"),
            DirectEncoding(4),
            Adaptive(name="neurons", **arguments),
            keras.layers.Dense(3),
            RateReadout(),
        ]
    )


def test_a_neuron_of_ones_own_works_in_everything(tmp_path, registered):
    model = penalize(adaptive_model(learn_decay=True), SynapticPenalty(1e-2, p=2))
    x, y = np.full((7, 5), 0.3, "float32"), np.zeros((7, 3), "float32")
    model.compile("sgd", "mse")
    before = model.layers[2].get_weights()
    model.fit(x, y, epochs=1, verbose=0)
    assert np.any(model.layers[2].get_weights()[0] != before[0])
    report = energy_report(model, x)
    (row,) = (row for row in report.layers if row.name == "neurons")
    assert row.kind == "test_adaptive"
    assert 0 < row.spikes and row.synops == pytest.approx(3 * row.spikes)
    omega = penalty_values(model, x)["neurons"]
    assert 2 * 0.9 * omega == pytest.approx(row.energy_pj, rel=1e-6)
    assert fan_out(model)["neurons"].array.tolist() == [3.0] * 8

    model.save(tmp_path / "model.keras")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        keras.models.clone_model(model),
    ):
        layer = again.get_layer("neurons")
        assert isinstance(layer, Adaptive)
        assert layer.get_config() == model.get_layer("neurons").get_config()
        again.set_weights(model.get_weights())
        np.testing.assert_allclose(
            again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
        )
        assert penalty_values(again, x) == penalty_values(model, x)
    spiking = keras.Sequential([keras.Input((5,)), Adaptive(name="neurons")])
    with pytest.raises(ValueError, match="'neurons' of type Adaptive is a spiking"):
        convert(spiking, x, time_steps=4)


def test_names_and_kinds(registered):
    assert layers.neuron_names()[0] == "lif"
    assert layers.get_neuron("test_adaptive") is Adaptive
    assert layers.neuron_arguments(Adaptive) == (
        *("beta", "decay", "gain", "surrogate"),
        *("learn_beta", "learn_decay"),
    )

    class Slower(LIF):
        """No name of its own."""

    assert (LIF().kind, Slower().kind, Recurrent().kind) == ("lif", "lif", "neuron")
    with pytest.raises(ValueError, match="Did you mean 'lif'"):
        layers.get_neuron("lfi")
    with pytest.raises(ValueError, match="`name` must be free: 'lif' is LIF"):
        layers.register_neuron("lif", Adaptive)
    with pytest.raises(ValueError, match="must subclass SpikingLayer"):
        layers.register_neuron("dense", keras.layers.Dense)
    with pytest.raises(NotImplementedError, match="Empty must have a method `dyn"):

        class Empty(layers.SpikingLayer):
            pass

        Empty()(np.ones((1, 2), "float32"))


# --- synapses inside the layer -------------------------------------------------------


@pytest.fixture
def counted(monkeypatch):
    """The rule of recurrent weights, registered for one test."""
    monkeypatch.setattr(RULES, "_entries", dict(RULES._entries))
    rule = register_synapse(Recurrent)(lambda call: np.full((1,), call.layer.units))
    monkeypatch.setattr(Recurrent, "units", property(_units), raising=False)
    return rule


def _units(layer):
    return layer.feature_shape[0]


def recurrent_model(units=8, name="neurons"):
    x = keras.Input((4, units))
    y = layers.EventFrames()(x)
    y = Recurrent(name=name)(keras.layers.Dense(units, kernel_initializer="ones")(y))
    return keras.Model(x, RateReadout()(keras.layers.Dense(3)(y)))


def test_recurrent_weights_without_a_rule_are_an_error():
    with pytest.raises(ValueError, match="'neurons' of type Recurrent has weights of"):
        penalize(recurrent_model(), SynapticPenalty(1e-3))


def test_recurrent_synapses_count(counted):
    model = recurrent_model()
    assert fan_out(model)["neurons"].array.tolist() == [11.0] * 8
    penalize(model, SynapticPenalty(1e-3))
    x = np.random.default_rng(0).integers(0, 2, (5, 4, 8)).astype("float32")
    report = energy_report(model, x)
    (row,) = (row for row in report.layers if row.name == "neurons")
    assert row.spikes > 0 and row.synops == pytest.approx(11 * row.spikes)
    omega = penalty_values(model, x)["neurons"]
    assert 0.9 * omega == pytest.approx(row.energy_pj, rel=1e-6)


def test_recurrent_fan_out_equals_brute_force(counted):
    """Weights of 1: a lone spike is seen by as many currents as psi says."""
    units = 7
    model = recurrent_model(units)
    neurons, head = model.get_layer("neurons"), model.layers[-2]
    neurons.kernel_weight.assign(np.ones((units, units)))
    head.kernel.assign(np.ones(head.kernel.shape))
    dynamics = neurons.dynamics()
    parameters = (ops.zeros(()), neurons.parameter("kernel"))
    touched = []
    for spike in np.eye(units, dtype="float32")[:, None]:
        # Without potential and input, the next potential is the recurrent current;
        # far below the threshold of 1 it is kept as it is.
        state = (ops.zeros((1, units)), ops.convert_to_tensor(0.5 * spike))
        _, (u, _) = dynamics.forward(state, ops.zeros((1, units)), parameters)
        reached = np.count_nonzero(ops.convert_to_numpy(u))
        touched.append(reached + np.count_nonzero(ops.convert_to_numpy(head(spike))))
    assert fan_out(model)["neurons"].array.tolist() == touched


def test_weights_on_the_input_of_a_spiking_layer_are_synapses_too(monkeypatch):
    monkeypatch.setattr(RULES, "_entries", dict(RULES._entries))
    register_synapse(
        Recurrent,
        lambda call: np.full((1,), 8.0),
        inputs=lambda call: np.full((1,), 5.0),  # as if each input met 5 weights
    )
    x = keras.Input((4, 8))
    y = LIF(name="first")(layers.EventFrames(name="frames")(x))
    y = Recurrent(name="neurons")(y)
    model = keras.Model(x, RateReadout()(keras.layers.Dense(3)(y)))
    found = fan_out(model)
    assert (found["first"].max, found["neurons"].max) == (5.0, 11.0)
    assert found["frames"].maps == ()  # straight into neurons: no synapse


def test_a_spiking_layer_takes_no_rule_that_would_be_ignored():
    with pytest.raises(ValueError, match="must not be a spiking layer"):
        register_route(Recurrent, rule=lambda call, tap, output: [[tap]])
