"""No layer of a fresh network is silent or fires all the time."""

import numpy as np
import pytest

from keras_ssp import models
from keras_ssp.datasets import load
from keras_ssp.energy.meter import EnergyMeter
from keras_ssp.layers import LIF
from keras_ssp.layers.events import listening
from keras_ssp.synapses.analysis import analyze
from tests.models.small import small

LOW, HIGH = 0.02, 0.60
SHAPES = {
    "small_cnn": (28, 28, 1),
    "cnn7": (28, 28, 1),
    "vgg11": (32, 32, 3),
    "resnet18": (32, 32, 3),
}


def images(name, n=6):
    """Random images in [0, 1], standardised ones, and digits, by name."""
    side, _, channels = SHAPES[name]
    rng = np.random.default_rng(0)
    border = (side - 24) // 2
    digits = np.kron(load("digits").train.x[:n], np.ones((1, 3, 3, 1)))
    digits = np.pad(digits, [(0, 0), (border, border), (border, border), (0, 0)])
    found = {
        "uniform": rng.uniform(size=(n, *SHAPES[name])),
        "standardised": rng.normal(size=(n, *SHAPES[name])),
        "digits": np.repeat(digits, channels, axis=-1),
    }
    return {kind: x.astype("float32") for kind, x in found.items()}


def evaluation_rates(model, data):
    meter = EnergyMeter(model)
    return {
        (kind, row.name): row.rate
        for kind, x in data.items()
        for row in meter.report(x).layers
        if row.kind == "lif"
    }


def training_rates(model, data):
    rates = {}
    for kind, x in data.items():

        def listen(layer, index, spikes, steps, kind=kind):
            rates[kind, layer.name] = float(np.mean(np.asarray(spikes)))

        with listening(listen):
            model(x, training=True)
    return rates


@pytest.mark.parametrize(
    ("name", "width", "time_steps", "pooling"),
    [
        *((name, 0.25, steps, "average") for name in SHAPES for steps in (1, 4)),
        *((name, 0.25, 4, "max") for name in SHAPES if name != "resnet18"),
        ("small_cnn", 1.0, 4, "average"),
        ("cnn7", 1.0, 4, "average"),
    ],
)
def test_rates(name, width, time_steps, pooling):
    model = models.get(name)(
        SHAPES[name], 10, width=width, time_steps=time_steps, pooling=pooling
    )
    data = images(name)
    # Evaluation first: a pass in training mode moves the moving statistics.
    found = {"evaluation": evaluation_rates(model, data)}
    found["training"] = training_rates(model, data)
    lifs = [layer for layer in model.layers if "lif" in layer.name]
    for mode, rates in found.items():
        assert len(rates) == len(lifs) * len(data)
        outside = {k: r for k, r in rates.items() if not LOW < r < HIGH}
        assert not outside, mode


def test_a_moving_variance_of_one_would_silence_deep_layers(monkeypatch):
    monkeypatch.setattr(LIF, "mean_square", 1.0)
    model = models.vgg11(SHAPES["vgg11"], 10, width=0.25)
    rates = evaluation_rates(model, {"": images("vgg11")["uniform"]})
    assert rates["", "lif8"] == 0.0


@pytest.mark.parametrize("name", models.names())
def test_guessed_variance_allows_for_the_padding(name):
    """The share of taps on the padding, against the exact count of synapses."""
    model = small(name)
    for layer in analyze(model).layers[1:]:
        if "conv" not in layer.name:
            continue
        taps = layer.outputs * np.prod(layer.layer.kernel.shape[:-1])
        norm = model.get_layer(layer.name.replace("conv", "norm"))
        guess = float(np.asarray(norm.moving_variance)[0])
        assert guess == pytest.approx(0.1 * layer.dense / taps, rel=1e-5)
