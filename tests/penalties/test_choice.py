"""A penalty on some of the layers, or with a factor for each."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import (
    SynapticPenalty,
    SynOpsTarget,
    energy_report,
    penalize,
    penalty_values,
)
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from tests.helpers import added_loss, images, small_snn

pytestmark = pytest.mark.every_backend
X = images(6)


def network(penalty, chosen=None):
    keras.utils.set_random_seed(3)
    return penalize(small_snn(threshold=0.3), penalty, layers=chosen)


def losses(model, x=X):
    return added_loss(model, x)


@pytest.mark.parametrize("p", [1, 2])
def test_only_the_chosen_layers_are_penalised(p):
    whole = penalty_values(network(SynapticPenalty(1.0, p=p)), X)
    for name in ("lif1", "lif2"):
        model = network(SynapticPenalty(1.0, p=p), [name])
        assert penalty_values(model, X) == pytest.approx({name: whole[name]})
        assert losses(model) == pytest.approx(whole[name], rel=1e-6)
        other = "lif2" if name == "lif1" else "lif1"
        assert model.get_layer(other).penalty is None
    layer = model.get_layer("lif1")
    penalize(model, SynapticPenalty(1.0, p=p), layers=[layer])
    assert losses(model) == pytest.approx(whole["lif1"], rel=1e-6)
    penalize(model, SynapticPenalty(1.0, p=p))
    assert losses(model) == pytest.approx(sum(whole.values()), rel=1e-6)


def test_factors_multiply_the_parts_of_the_sum():
    whole = penalty_values(network(SynapticPenalty(1.0)), X)
    model = network(SynapticPenalty(0.5), {"lif1": 3.0, "lif2": 0.25})
    parts = {"lif1": 3 * whole["lif1"], "lif2": whole["lif2"] / 4}
    assert penalty_values(model, X) == pytest.approx(parts)
    assert losses(model) == pytest.approx(0.5 * sum(parts.values()), rel=1e-6)
    report = energy_report(model, X)
    assert report["lif1"].penalty == pytest.approx(parts["lif1"])
    assert report["lif2"].penalty_share == pytest.approx(
        parts["lif2"] / sum(parts.values())
    )


def test_normalised_by_the_largest_value_of_the_chosen_sum():
    model = network(SynapticPenalty(1.0, normalize=True), {"lif1": 3.0, "lif2": 0.25})
    for name in ("stem", "conv"):
        layer = model.get_layer(name)
        layer.set_weights([np.zeros_like(w) + 9.0 for w in layer.get_weights()])
    assert losses(model) == pytest.approx(1.0, rel=1e-6)  # every neuron always fires


def test_saved_cloned_and_trained_with_the_choice(tmp_path):
    model = network(SynapticPenalty(1e-3), {"lif2": 2.0})
    expected = losses(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (loaded, clone):
        assert losses(other) == pytest.approx(expected, rel=1e-6)
        assert other.get_layer("lif1").penalty is None
    model.compile("sgd", "mse")
    y = np.zeros((6, 5))
    task = float(np.mean(np.square(model.predict(X, verbose=0))))
    assert model.evaluate(X, y, verbose=0) - task == pytest.approx(expected, rel=1e-4)


def test_a_gate_counts_where_all_its_neurons_are_chosen():
    x = keras.Input((6,))
    y = DirectEncoding(2)(x)
    a, b = LIF(name="a", threshold=0.2)(y), LIF(name="b", threshold=0.4)(y)
    both = layers.Multiply(name="both")([a, b])
    model = keras.Model(x, RateReadout()(layers.Dense(3)(both)))
    data = np.random.default_rng(0).uniform(0, 1, (5, 6)).astype("float32")
    penalize(model, SynapticPenalty(1.0), layers=["a", "b"])
    synops = energy_report(model, data).synops
    assert synops and losses(model, data) == pytest.approx(synops, rel=1e-6)
    # With one of them alone the gate's events are not its to answer for.
    with pytest.raises(ValueError, match="drives a synapse"):
        penalize(model, SynapticPenalty(1.0), layers=["a"])


def test_subclassed_models_too():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = LIF(time_steps=1, fan_out=3, name="first")
            self.second = LIF(time_steps=1, fan_out=2, name="second")

        def call(self, x):
            return self.second(self.first(x))

    model = Own()
    model(np.ones((1, 4), "float32"))
    penalize(model, SynapticPenalty(1.0), layers={"first": 0.5})
    assert losses(model, np.ones((2, 4), "float32")) == 0.5 * 4 * 3


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (["lif3"], "`layers` must name one spiking layer.*lif1, lif2.*Did you mean"),
        (["stem"], "`layers` must name one spiking layer"),
        ([], "at least one layer"),
        ("lif1", "a list of names or layers"),
        (7, "a list of names or layers"),
        ({"lif1": 0.0}, r"`layers\['lif1'\]` must be"),
        ({"lif1": float("nan")}, r"`layers\['lif1'\]` must be"),
    ],
)
def test_what_is_no_choice_is_refused(chosen, text):
    model = network(SynapticPenalty(1.0))
    with pytest.raises(ValueError, match=text):
        penalize(model, SynapticPenalty(2.0), layers=chosen)
    assert model.get_layer("lif1").penalty.weight == 1.0  # as it was


def test_a_penalty_of_the_whole_network_has_no_choice():
    with pytest.raises(ValueError, match="left out with SynOpsTarget.*whole network"):
        network(SynOpsTarget(1.0, target=10.0), ["lif1"])
    with pytest.raises(ValueError, match="left out where the penalty is taken away"):
        network(None, ["lif1"])
