"""Networks of one's own: the builder, the decorator, the documentation it makes."""

import inspect
import re

import keras
import numpy as np
import pytest

from keras_ssp import energy_report, models
from keras_ssp.layers import LIF, register_neuron
from keras_ssp.layers.neurons import _NEURONS
from keras_ssp.models import NetworkBuilder
from keras_ssp.models.registry import _NETWORKS
from tests.models.small import small


@pytest.fixture(autouse=True)
def _contained(monkeypatch):
    for registry in (_NETWORKS, _NEURONS):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))


def define(**options):
    @models.network("mine", halvings=2, **options)
    def mine(net, x):
        """Mine.

        Example:

        >>> mine((8, 8, 1), 10)
        """
        y = net.pool(net.stem(x, 8))
        y = net.neurons(net.depthwise(y))
        y = net.pool(net.neurons(net.conv(y, 16, size=1)), padding="valid")
        y = net.neurons(net.dense(net.flatten(y), 12))
        return net.head(y)

    return mine


def test_a_network_is_what_its_layers_say():
    model = define()((9, 7, 2), 3, width=0.5, time_steps=2, beta=0.75)
    assert [layer.name for layer in model.layers] == [
        *("image", "conv1", "norm1", "encoding", "lif1", "pool1"),
        *("depthwise_conv2", "norm2", "lif2"),
        *("conv3", "norm3", "lif3", "pool3", "flatten"),
        *("dense4", "norm4", "lif4", "dense5", "readout"),
    ]
    assert model.name == "mine"
    assert model.get_layer("pool1").output.shape == (None, 5, 4, 4)
    assert model.get_layer("pool3").output.shape == (None, 2, 2, 8)
    assert model.output_shape == (None, 3)
    assert model.get_layer("lif4").beta == 0.75


def test_a_network_has_a_name_everywhere():
    mine = define()
    assert models.names()[-1] == "mine"
    assert models.get("mine") is mine
    model = mine((8, 8, 1), 3, name="hers", activation="relu")
    assert model.name == "hers"
    assert model.get_layer("relu4").output.shape == (None, 12)


def test_the_signature_is_that_of_the_builder():
    mine = define()
    assert (mine.__name__, mine.__module__) == ("mine", __name__)
    for name, build in (("mine", mine), ("cnn7", models.cnn7)):
        found = dict(inspect.signature(build).parameters)
        expected = dict(inspect.signature(NetworkBuilder).parameters)
        assert found.pop("name").default == name
        expected.pop("name")
        assert found == expected
    with pytest.raises(TypeError, match="missing a required argument: 'classes'"):
        mine((8, 8, 1))
    with pytest.raises(TypeError, match="too many positional arguments"):
        mine((8, 8, 1), 3, 0.5)


def test_the_documentation_has_the_arguments_before_the_example():
    text = inspect.getdoc(define())
    parts = ("Mine.", "at least 3.", "Args:", "    width: ", "Returns:", "Example:")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_images_that_are_too_small():
    with pytest.raises(ValueError, match="at least 3: 'mine' halves them 2 times"):
        define()((2, 8, 1), 3)


def test_activations_that_a_network_does_not_have():
    mine = define(activations=("lif",))
    message = "`activation` must be one of 'lif'. Received: activation='relu'."
    with pytest.raises(ValueError, match=re.escape(message)):
        mine((8, 8, 1), 3, activation="relu")


def test_a_name_that_is_taken():
    mine = define()
    define()  # as a notebook cell that is run again
    message = "`name` must be free: 'mine' is"
    with pytest.raises(ValueError, match=message):
        models.register("mine", models.cnn7)
    models.register("mine", models.cnn7, overwrite=True)
    assert models.get("mine") is models.cnn7 is not mine
    with pytest.raises(ValueError, match="Did you mean 'cnn7'?"):
        models.get("cnn")


def test_variance_and_initializers_of_ones_own():
    net = NetworkBuilder((8, 8, 3), 2)
    ones = keras.initializers.Ones()
    y = net.conv(net.image, 4, variance=0.7, kernel_initializer=ones)
    y = net.depthwise(y, variance=0.6, depthwise_initializer=ones)
    model = net.model(net.head(net.global_pool(y), name="logits"))
    for name, variance in (("norm1", 0.7), ("norm2", 0.6)):
        found = np.asarray(model.get_layer(name).moving_variance)
        np.testing.assert_allclose(found, variance)
    for layer in (model.get_layer("conv1"), model.get_layer("depthwise_conv2")):
        np.testing.assert_array_equal(np.asarray(layer.kernel), 1.0)
    assert model.layers[-2].name == "logits"


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.every_backend
def test_fresh_depthwise_neurons_fire(strides):
    keras.utils.set_random_seed(0)
    net = NetworkBuilder((16, 16, 1), 10)
    y = net.stem(net.image, 64)
    y = net.neurons(net.depthwise(y, strides=strides))
    model = net.model(net.head(net.flatten(y)))
    x = np.random.default_rng(0).uniform(size=(4, 16, 16, 1)).astype("float32")
    rows = {row.name: row.rate for row in energy_report(model, x).layers}
    assert 0.02 < rows["lif2"] < 0.6


class PatientLIF(LIF):
    """A neuron of one's own, with a default, an argument and a mean square."""

    mean_square = 0.3

    def __init__(self, beta=0.5, *, threshold=2.0, patience=1, **kwargs):
        super().__init__(beta, threshold=threshold, **kwargs)
        self.patience = patience


@pytest.fixture
def patient():
    register_neuron("patient", PatientLIF)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.usefixtures("patient")
def test_a_neuron_of_ones_own_is_an_activation_of_every_network(name):
    assert models.activation_names() == ("lif", "patient", "relu", "qcfs")
    model = small(name, activation="patient", beta=0.9, patience=3)
    neurons = [layer for layer in model.layers if isinstance(layer, LIF)]
    assert neurons and all("patient" in layer.name for layer in neurons)
    assert {(x.beta, x.threshold, x.patience) for x in neurons} == {(0.9, 2.0, 3)}
    assert {type(layer) for layer in neurons} == {PatientLIF}
    assert model.get_layer("encoding").time_steps == 2
    lif = small(name)
    for norm in (x.name for x in model.layers if "norm" in x.name):
        if norm == "norm1":
            continue  # it sees the image
        found, expected = (
            np.asarray(m.get_layer(norm).moving_variance) for m in (model, lif)
        )
        np.testing.assert_allclose(found, 3 * expected, rtol=1e-6)
    if name == "resnet18":  # the threshold, less the spike, and the margin
        beta = np.asarray(model.get_layer("block1_norm2").beta)
        np.testing.assert_allclose(beta, 2.0 - 1.0 + 0.25)


@pytest.mark.usefixtures("patient")
def test_arguments_of_neurons_that_an_ann_does_not_have():
    for argument, takers in (
        ("patience", "PatientLIF neurons and must only be given with activation='pati"),
        ("beta", "LIF, PatientLIF neurons and must only be given with activation='lif"),
        ("leek", "LIF, PatientLIF neurons and must only be given with activation='lif"),
    ):
        message = f"`{argument}` is an argument of the {takers}"
        with pytest.raises(ValueError, match=re.escape(message)):
            small("small_cnn", activation="relu", **{argument: 1})
