"""The layers' shares of the energy and of each penalty."""

import keras
import pytest

from keras_ssp import SynapticPenalty, penalize, penalties
from keras_ssp.studies import report as comparison
from tests.helpers import images, small_snn

SERIES = ["synaptic, p = 1", "synaptic, p = 2", "spike count", "balanced"]


def test_layer_shares_compare_every_registered_penalty(monkeypatch):
    entries = penalties.family._PENALTIES
    monkeypatch.setattr(entries, "_entries", dict(entries._entries))

    @penalties.register("last_only")
    class LastOnly(penalties.SpikePenalty):
        def taps(self, site):
            return site.taps if site.name == "lif2" else []

    shares = comparison.layer_shares(small_snn(), images(6))
    assert list(shares) == ["energy", *SERIES, "last only"]
    assert shares["last only"] == {"lif1": 0.0, "lif2": 1.0}


def test_layer_shares_of_the_synaptic_penalty_are_those_of_the_energy():
    model = penalize(small_snn(), SynapticPenalty(0.25))
    shares = comparison.layer_shares(model, images(6))
    assert list(shares["energy"]) == ["lif1", "lif2"]
    for name in ("synaptic, p = 1", "synaptic, p = 2"):
        assert shares[name] == pytest.approx(shares["energy"], rel=1e-6)
    assert shares["spike count"]["lif1"] != pytest.approx(shares["energy"]["lif1"])
    assert all(sum(found.values()) == pytest.approx(1) for found in shares.values())
    # The model keeps its own penalty.
    lif = model.get_layer("lif1")
    assert lif.penalty.weight == 0.25
    assert float(keras.ops.convert_to_numpy(lif.penalty_weight)) == 0.25
