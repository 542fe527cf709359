"""Random networks of all that may carry spikes: counts, penalty and loss by hand."""

import os

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import SynapticPenalty, energy_report, penalize
from keras_ssp.energy import EnergyMeter
from keras_ssp.layers import RateReadout
from keras_ssp.layers.events import listening
from tests.helpers import added_loss
from tests.synapses.fronts import MaskedFrames
from tests.synapses.graphs import RandomNetwork

pytestmark = pytest.mark.every_backend
# `make test-slow` asks for 500.
GRAPHS = int(os.environ.get("KERAS_SSP_GRAPHS", "12"))


SAMPLES = 3


def data(network, seed):
    return network.front.data(np.random.default_rng(seed), SAMPLES)


def fired(model, x):
    """The spikes of each neuron layer in a plain run of the model, by name."""
    found = {}

    def hook(layer, index, spikes, steps):
        found[layer.name] = keras.ops.convert_to_numpy(spikes)

    with listening(hook):
        model(x)
    return found


def penalized(model, penalty):
    """`penalize`, where it does not refuse what it says it cannot count."""
    try:
        return penalize(model, penalty)
    except ValueError as error:
        if "before the max pooling" not in str(error):
            raise
        pytest.skip(f"refused by name: {error}")


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_counts_penalty_and_loss_equal_the_count_by_hand(seed):
    network = RandomNetwork(seed)
    model, x = network.model, data(network, seed)
    p = [1, 1.5, 2, 3][seed % 4]
    penalized(model, SynapticPenalty(0.5, p=p))
    synops = network.synops(fired(model, x), SAMPLES)
    meter = EnergyMeter(model)
    counts, _ = meter.run(x)
    counted = sum(total(c["synops"]) for c in counts.values())
    assert counted == pytest.approx(synops, rel=1e-6)
    report = energy_report(model, x)
    assert report.synops == pytest.approx(synops, rel=1e-6)
    assert report.macs == network.front.macs()
    # What the data's own events cost no penalty weighs.
    synops -= report.input_synops
    omega = sum(total(c["penalty"]) for c in counts.values() if "penalty" in c)
    assert p * omega == pytest.approx(synops, rel=1e-6)
    loss = added_loss(model, x)
    assert p * loss == pytest.approx(0.5 * synops, rel=1e-6)


def total(counts):
    return keras.ops.convert_to_numpy(counts).sum() / SAMPLES


@pytest.mark.parametrize("seed", range(0, 2 * GRAPHS, 4))
def test_what_a_mask_hides_changes_nothing(seed):
    network = RandomNetwork(seed)
    if not isinstance(network.front, MaskedFrames):
        pytest.skip("this network has no mask")
    frames, mask = data(network, seed)
    other = np.where(mask[..., None, None, None], frames, 7.0)
    first, again = (energy_report(network.model, [x, mask]) for x in (frames, other))
    assert first.to_dict() == again.to_dict()


@pytest.mark.parametrize("seed", range(0, GRAPHS, 4))
def test_after_surgery_the_penalty_is_that_of_the_new_graph(seed):
    """A new head on a penalised network, in a model that was never penalised itself."""
    network = RandomNetwork(seed)
    penalized(network.model, SynapticPenalty(1.0))
    dense = [layer for layer in network.synapses if isinstance(layer[0], layers.Dense)]
    last, size, source = dense[-1]
    wide = layers.Dense(last.units + 4)
    network.synapses[network.synapses.index(dense[-1])] = (wide, size, source)
    model = keras.Model(network.inputs, RateReadout()(wide(source.tensor)))
    x = data(network, seed)
    spikes = fired(model, x)
    network.keep(model)
    loss = added_loss(model, x)
    synops = network.synops(spikes, SAMPLES) - energy_report(model, x).input_synops
    assert loss == pytest.approx(synops, rel=1e-6)


def test_the_random_networks_hold_what_they_are_to_hold():
    kinds = set()
    for seed in range(40):
        kinds |= RandomNetwork(seed).kinds
    assert kinds == {
        *("weighted", "moved", "summed", "pooled", "joined", "gated", "scaled"),
        *("nested", "Convolution", "Attention", "Recurrent", "MaskedFrames"),
    }
