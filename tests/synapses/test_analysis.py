"""The analysis of a model is kept, and made again when the model changed."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import SynapticPenalty, energy_report, fan_out, penalize
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from keras_ssp.synapses import analyze, register_synapse
from keras_ssp.synapses.registry import RULES

pytestmark = pytest.mark.every_backend


def sequential():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6, name="stem"),
            DirectEncoding(2),
            LIF(name="lif"),
            layers.Dense(3, name="head"),
            RateReadout(),
        ]
    )


def test_one_analysis_serves_penalty_and_meter():
    model = sequential()
    first = analyze(model)
    penalize(model, SynapticPenalty(1e-3))
    energy_report(model, np.ones((2, 4), "float32"))
    assert analyze(model) is first


def test_surgery_is_seen():
    model = sequential()
    before = analyze(model)
    model.pop(), model.pop()
    model.add(layers.Dense(7)), model.add(RateReadout())
    assert analyze(model) is not before
    assert fan_out(model)["lif"].array.tolist() == [7.0] * 6


def test_surgery_inside_a_nested_model_is_seen():
    inner = keras.Sequential([keras.Input((6,)), LIF(name="lif"), layers.Dense(3)])
    model = keras.Sequential([keras.Input((6,)), inner])
    (psi,) = fan_out(model).values()
    assert psi.max == 3
    inner.pop()
    inner.add(layers.Dense(5))
    again = keras.Sequential([keras.Input((6,)), inner])
    (psi,) = fan_out(again).values()
    assert psi.max == 5


def test_given_fan_out_and_rules_are_seen(monkeypatch):
    monkeypatch.setattr(RULES, "_entries", dict(RULES._entries))
    model = sequential()
    assert fan_out(model)["lif"].max == 3
    model.get_layer("lif").fan_out = np.asarray(12.0)
    assert fan_out(model)["lif"].max == 12
    model.get_layer("lif").fan_out = None
    assert fan_out(model)["lif"].max == 3
    with pytest.raises(ValueError, match="`layer_type` must be free: Dense is counted"):
        register_synapse(layers.Dense, lambda call: np.ones((1,)))
    register_synapse(layers.Dense, lambda call: np.full((1,), 2.0), overwrite=True)
    assert fan_out(model)["lif"].max == 2


def test_an_analysis_goes_with_its_model():
    model = sequential()
    analyze(model)
    gone = weakref.ref(model._functional)
    del model
    keras.utils.clear_session()
    gc.collect()
    assert gone() is None


def test_maps_of_fan_out():
    x = keras.Input((4, 4, 1))
    y = LIF(name="pooled")(x)
    a = layers.Conv2D(2, 1, name="wide")(layers.MaxPooling2D(2, name="pool")(y))
    b = layers.Conv2D(3, 3, name="direct")(y)
    heads = [layers.Flatten()(t) for t in (a, b)]
    found = fan_out(keras.Model(x, heads))["pooled"]
    assert found.size == (4, 4, 1)
    by_place = {m.after: m for m in found.maps}
    assert by_place["pool",].array.tolist() == np.full((2, 2, 1), 2.0).tolist()
    direct = by_place[()]
    assert direct.shape == (4, 4, 1)
    assert (direct.min, direct.max, direct.mean) == (3.0, 12.0, 6.75)
    with pytest.raises(ValueError, match="counted in 2 places"):
        found.array  # noqa: B018
    assert "after pool" in repr(found)
