"""Every network: its shape, its weights, its ANN twin, its energy, its training."""

import itertools
import re

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

from keras_ssp import (
    SynapticPenalty,
    models,
    penalize,
)
from keras_ssp.energy.meter import EnergyMeter
from keras_ssp.layers import LIF, DirectEncoding
from keras_ssp.synapses.analysis import analyze
from tests.models.small import CLASSES, SHAPES, images, small, weighted

every_network = pytest.mark.parametrize("name", models.names())

# Written down again, so that the tables of the package are checked against something:
# filters of the convolutions, elements after flatten at 28x28, hidden units.
CHAINS = {
    "small_cnn": ((16, 32), 7 * 7, (64,)),
    "cnn7": ((32, 32, 64, 64, 128), 4 * 4, (256,)),
    "vgg11": ((64, 128, 256, 256, 512, 512, 512, 512), 1, (512, 512)),
}
STAGES = (64, 128, 256, 512)


def chain_parameters(name, channels, classes):
    convs, pixels, hidden = CHAINS[name]
    total, before = 0, channels
    for filters in convs:
        total += 9 * before * filters + 2 * filters
        before = filters
    before *= pixels
    for units in hidden:
        total += before * units + 2 * units
        before = units
    return total + before * classes + classes


def resnet_parameters(channels, classes):
    total, before = 9 * channels * 64 + 2 * 64, 64
    for filters in STAGES:
        total += 9 * before * filters + 3 * 9 * filters * filters + 4 * 2 * filters
        if before != filters:
            total += before * filters + 2 * filters
        before = filters
    return total + 512 * classes + classes


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@pytest.mark.parametrize("name", CHAINS)
def test_parameters_of_the_chains(name):
    model = models.get(name)((28, 28, 2), 7)
    assert trainable(model) == chain_parameters(name, 2, 7)


def test_parameters_of_resnet18():
    # 11,173,962: what the common CIFAR-10 ResNet-18 of other libraries has.
    assert resnet_parameters(3, 10) == 11_173_962
    assert trainable(models.resnet18((32, 32, 3), 10)) == 11_173_962


@pytest.mark.parametrize(
    ("name", "weight_layers"),
    [("small_cnn", 4), ("cnn7", 7), ("vgg11", 11), ("resnet18", 18)],
)
def test_names_count_the_weight_layers(name, weight_layers):
    kernels = [x for x in weighted(small(name)) if re.search("conv|dense", x)]
    assert len([x for x in kernels if "shortcut" not in x]) == weight_layers


@pytest.mark.parametrize(
    ("width", "filters"), [(0.001, (1, 1)), (0.3, (5, 10)), (0.28125, (5, 9))]
)
def test_width_is_rounded_half_up_and_at_least_one(width, filters):
    model = models.small_cnn((8, 8, 1), 2, width=width)
    assert tuple(model.get_layer(f"conv{k}").filters for k in (1, 2)) == filters


@pytest.mark.parametrize("side", [17, 28, 32])
def test_vgg11_ends_at_one_pixel(side):
    model = models.vgg11((side, side, 1), 10, width=1 / 64)
    assert model.get_layer("pool8").output.shape[1:3] == (1, 1)


@every_network
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_pooling(name, pooling):
    layers = [type(x).__name__ for x in small(name, pooling=pooling).layers]
    pools = [x for x in layers if "Pooling" in x]
    assert pools
    assert all(pooling.title() in pool for pool in pools)


@every_network
@pytest.mark.parametrize(("pooling", "p"), [("average", 1), ("max", 2)])
@pytest.mark.every_backend
def test_penalty_is_exactly_proportional_to_the_energy(name, pooling, p):
    model = penalize(small(name, pooling=pooling), SynapticPenalty(1e-9, p=p))
    x = images(name)
    meter = EnergyMeter(model)  # as energy_report and penalty_values do, traced once
    report = meter.report(x, batch_size=4)
    omega = meter.penalty_values(x, batch_size=4)
    rows = [row for row in report.layers if row.kind == "lif"]
    assert [row.name for row in rows] == [lif.name for lif in neurons(model)]
    assert report.synaptic_energy_pj > 0
    for row in rows:
        assert p * 0.9 * omega[row.name] == pytest.approx(row.energy_pj, rel=1e-6)


def neurons(model):
    return [layer for layer in model.layers if isinstance(layer, LIF)]


@every_network
def test_only_the_stem_is_analogue_and_runs_once(name):
    model = small(name, time_steps=3)
    found = analyze(model)
    assert [layer.name for layer in found.layers if layer.macs] == ["conv1"]
    assert found.layers[0].macs == found.layers[0].dense
    assert all(site.taps for site in found.spiking)
    kinds = [type(layer) for layer in model.layers]
    assert kinds.index(DirectEncoding) == 3  # input, conv1, norm1
    assert kinds.count(DirectEncoding) == 1


@every_network
def test_event_data_drive_every_weight(name):
    model = models.get(name)((2, *SHAPES[name]), CLASSES, width=0.01, time_steps=2)
    found = analyze(model)
    assert not any(layer.macs for layer in found.layers)
    assert found.sites[0].name == "encoding"
    events = np.random.default_rng(0).poisson(1.0, (3, 2, *SHAPES[name]))
    assert convert_to_numpy(model(events.astype("float32"))).shape == (3, CLASSES)


@every_network
@pytest.mark.every_backend
def test_single_time_step(name):
    model = small(name, time_steps=1)
    y = convert_to_numpy(model(images(name)))
    assert y.shape == (6, CLASSES)
    assert np.isfinite(y).all()
    assert all(lif.steps == 1 for lif in neurons(model))


@every_network
@pytest.mark.parametrize("activation", ["relu", "qcfs"])
@pytest.mark.every_backend
def test_ann_twin_takes_the_weights_by_name(name, activation):
    snn, ann = small(name), small(name, activation=activation)
    theirs, ours = weighted(ann), weighted(snn)
    assert list(theirs) == list(ours)
    for layer in theirs.values():
        ours[layer.name].set_weights(layer.get_weights())
    x = images(name)
    stems = [
        convert_to_numpy(keras.Function(m.input, m.get_layer("norm1").output)(x))
        for m in (snn, ann)
    ]
    np.testing.assert_array_equal(*stems)
    y = convert_to_numpy(ann(x))
    assert y.shape == (6, CLASSES)
    assert np.isfinite(y).all()


@every_network
@pytest.mark.parametrize("activation", ["relu", "qcfs"])
def test_ann_twin_is_the_same_graph(name, activation):
    edges = graph(small(name))
    twin = graph(small(name, activation=activation))
    # The layers that know about time, and they alone, are gone.
    source = edges.pop("encoding")[0]
    edges["lif1"] = [source]
    (head,) = edges.pop("readout")
    assert head in edges
    assert {k.replace("lif", activation): v for k, v in edges.items()} == {
        k: [s.replace(activation, "lif") for s in v] for k, v in twin.items()
    }


def graph(model):
    """Layer name to the names of the layers whose outputs it takes."""
    config = model.get_config()["layers"]
    return {
        layer["name"]: re.findall(r"'keras_history': \['(\w+)'", str(layer))
        for layer in config
    }


@pytest.mark.parametrize("levels", [2, 6])
def test_qcfs_has_as_many_levels_as_time_steps(levels):
    model = small("small_cnn", activation="qcfs", time_steps=levels)
    assert model.get_layer("qcfs2").levels == levels


@pytest.mark.parametrize(
    "arguments",
    [*({"threshold": x} for x in (0.5, 1.0, 1.5)), {}, {"activation": "relu"}],
)
def test_fresh_blocks_without_a_strided_shortcut_are_the_identity(arguments):
    model = small("resnet18", **arguments)
    activation = arguments.get("activation", "lif")
    outputs = [f"block{k}_{activation}2" for k in range(1, 9)]
    probe = keras.Function(
        model.input,
        [model.get_layer(x).output for x in (f"{activation}1", *outputs)],
    )
    found = [convert_to_numpy(y) for y in probe(images("resnet18"))]
    for block, (before, after) in enumerate(itertools.pairwise(found), start=1):
        if block in (1, 2, 4, 6, 8):
            assert before.any()
            np.testing.assert_array_equal(before, after)
        else:
            assert before.shape != after.shape


@every_network
def test_lif_arguments_reach_every_neuron(name):
    model = small(name, beta=0.7, threshold=0.8, reset="soft", surrogate="arctan")
    assert {(x.beta, x.threshold, x.reset) for x in neurons(model)} == {
        (0.7, 0.8, "soft")
    }
    assert {type(x.surrogate).__name__ for x in neurons(model)} == {"ArcTan"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("cnn7", marks=pytest.mark.slow),
        pytest.param("vgg11", marks=pytest.mark.slow),
        "resnet18",
    ],
)
def test_a_few_training_steps_lower_the_loss(name):
    check_training(small(name), images(name, 8))


@pytest.mark.parametrize("activation", ["lif", "relu", "qcfs"])
@pytest.mark.every_backend
def test_every_activation_trains(activation):
    check_training(small("small_cnn", activation=activation), images("small_cnn", 8))


def check_training(model, x):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss)
    y = np.arange(len(x)) % CLASSES
    history = model.fit(x, y, batch_size=len(x), epochs=8, verbose=0).history["loss"]
    assert np.mean(history[-2:]) < 0.9 * np.mean(history[:2])


@every_network
def test_keras_file_gives_the_same_network_and_penalty(name, tmp_path):
    model = penalize(small(name, beta=0.9), SynapticPenalty(1e-9))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = images(name)
    np.testing.assert_array_equal(*(convert_to_numpy(m(x)) for m in (model, again)))
    assert again.name == name
    assert graph(again) == graph(model)
    penalties = [
        [lif.penalty.get_config() for lif in neurons(m)] for m in (model, again)
    ]
    assert penalties[0] == penalties[1]


@every_network
def test_defaults(name):
    shape = {k: (*v[:2], 1) for k, v in SHAPES.items()}[name]
    model = models.get(name)(shape, 1, width=0.01)
    assert model.name == name
    assert model.get_layer("encoding").time_steps == 4
    assert model.input.shape == (None, *shape)
    assert model.output_shape == (None, 1)
