"""Folding batch normalisation leaves the function as it is."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp.conversion import fold_batch_norm
from tests.conversion.networks import (
    inputs,
    outputs,
    plain,
    randomize,
    residual,
    some_on_every_backend,
)

# Name to the layer before the normalisation, and the shape of its input.
LINEAR = {
    "dense": (lambda: layers.Dense(5), (6,)),
    "dense of rank 3": (lambda: layers.Dense(5), (3, 6)),
    "conv 1d": (lambda: layers.Conv1D(5, 3, padding="causal"), (7, 4)),
    "conv 2d": (lambda: layers.Conv2D(5, 3, strides=2, padding="same"), (7, 6, 4)),
    "no bias": (lambda: layers.Conv2D(5, 3, use_bias=False), (7, 6, 4)),
    "groups": (lambda: layers.Conv2D(6, 3, groups=2, dilation_rate=2), (7, 6, 4)),
    "conv 3d": (lambda: layers.Conv3D(5, 2), (4, 4, 4, 3)),
    "depthwise 1d": (lambda: layers.DepthwiseConv1D(3, depth_multiplier=2), (7, 4)),
    "depthwise 2d": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), (7, 6, 4)),
    "separable 1d": (lambda: layers.SeparableConv1D(5, 3), (7, 4)),
    "separable 2d": (lambda: layers.SeparableConv2D(5, 3), (7, 6, 4)),
    "transposed 1d": (lambda: layers.Conv1DTranspose(5, 3, strides=2), (7, 4)),
    "transposed 2d": (lambda: layers.Conv2DTranspose(5, 3, strides=2), (5, 4, 4)),
    "transposed 3d": (lambda: layers.Conv3DTranspose(5, 2), (3, 3, 3, 2)),
}


def check(model, shape):
    """The folded model answers alike, and the given one is as it was."""
    x = inputs(4, shape)
    before, weights = outputs(model, x), model.get_weights()
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    folded = fold_batch_norm(model)
    assert not any(
        isinstance(layer, layers.BatchNormalization) for layer in folded.layers
    )
    np.testing.assert_allclose(outputs(folded, x), before, atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(outputs(model, x), before)
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    return folded


EVERY_BACKEND = ("dense", "depthwise 2d", "separable 2d", "transposed 2d")


@pytest.mark.parametrize("name", some_on_every_backend(LINEAR, EVERY_BACKEND))
def test_after_every_linear_layer(name):
    make, shape = LINEAR[name]
    norm = layers.BatchNormalization(epsilon=1e-2)
    model = keras.Sequential([keras.Input(shape), make(), norm, layers.ReLU()])
    check(randomize(model), shape)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}])
@pytest.mark.parametrize("name", ["dense", "no bias", "depthwise 2d"])
def test_normalisation_without_scale_or_center(name, options):
    make, shape = LINEAR[name]
    norm = layers.BatchNormalization(**options)
    model = keras.Sequential([keras.Input(shape), make(), norm, layers.ReLU()])
    check(randomize(model), shape)


@pytest.mark.parametrize("make", [plain, residual])
def test_whole_networks(make):
    check(make(), (8, 8, 2))


def test_names_of_layers_are_kept():
    model = plain()
    kept = [
        layer.name
        for layer in model.layers
        if not isinstance(layer, (layers.BatchNormalization, layers.InputLayer))
    ]
    assert [layer.name for layer in fold_batch_norm(model).layers][1:] == kept


def test_channels_first_normalisation():
    conv = layers.Conv2D(5, 3, data_format="channels_first", padding="same")
    model = keras.Sequential(
        [keras.Input((4, 6, 6)), conv, layers.BatchNormalization(axis=1)]
    )
    folded = fold_batch_norm(randomize(model))
    # Channels-first convolutions do not run on a CPU: compare kernels.
    norm = model.layers[1]
    scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    kernel = np.asarray(conv.kernel) * scale
    np.testing.assert_allclose(folded.layers[1].get_weights()[0], kernel, rtol=1e-5)


def test_nested_and_shared_layers_become_one_per_call():
    shared = layers.Dense(4, name="shared")
    block = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4), layers.BatchNormalization()], name="block"
    )
    x = keras.Input((4,), name="x")
    y = layers.BatchNormalization()(shared(x))
    y = layers.BatchNormalization()(shared(layers.ReLU()(y)))
    model = randomize(keras.Model(x, block(layers.ReLU()(y))))
    folded = check(model, (4,))
    names = [layer.name for layer in folded.layers]
    assert {"shared", "shared_1"} <= set(names)
    assert any(name.startswith("block_dense") for name in names)


def test_structure_of_inputs_and_outputs_is_kept():
    a, b = keras.Input((3,), name="a"), keras.Input((4,), name="b")
    y = layers.BatchNormalization()(layers.Dense(5)(layers.Concatenate()([a, b])))
    model = keras.Model({"a": a, "b": b}, {"y": y, "a": a, "z": layers.ReLU()(y)})
    randomize(model)
    x = {"a": inputs(6, (3,)), "b": inputs(6, (4,))}
    found, expected = outputs(fold_batch_norm(model), x), outputs(model, x)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, atol=1e-5)


def test_other_layers_keep_their_weights():
    normalization = layers.Normalization()
    normalization.adapt(inputs(50, (4,)) * 3 + 1)
    parts = [keras.Input((4,)), normalization, layers.Dense(5)]
    parts += [layers.BatchNormalization(), layers.PReLU(), layers.LayerNormalization()]
    model = randomize(keras.Sequential([*parts, layers.Dense(3, activation="softmax")]))
    check(model, (4,))


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = plain()
    finally:
        keras.config.set_dtype_policy("float32")
    x = inputs(4)
    folded = fold_batch_norm(model)
    assert folded.layers[1].compute_dtype == "float16"
    np.testing.assert_allclose(outputs(folded, x), outputs(model, x), atol=2e-2)


def norm(**arguments):
    return layers.BatchNormalization(name="norm", **arguments)


BAD = {
    "behind layer 'relu' (ReLU), not a linear layer": lambda x: norm()(
        layers.ReLU(name="relu")(x)
    ),
    "behind the model's input, not a linear layer": lambda x: norm()(x),
    "layer 'dense' (Dense) in front of it has an activation": lambda x: norm()(
        layers.Dense(4, activation="relu", name="dense")(x)
    ),
    "its axis=1 is not the channel axis of layer 'dense'": lambda x: norm(axis=1)(
        layers.Dense(4, name="dense")(x)
    ),
}


@pytest.mark.parametrize("reason", BAD)
def test_elsewhere_is_an_error(reason):
    x = keras.Input((3, 4))
    with pytest.raises(ValueError) as caught:
        fold_batch_norm(keras.Model(x, BAD[reason](x)))
    assert "BatchNormalization 'norm' cannot be folded" in str(caught.value)
    assert reason in str(caught.value)
    assert "Remedy: put it directly behind" in str(caught.value)


@pytest.mark.parametrize("output", [False, True])
def test_second_reader_of_the_linear_layer_is_an_error(output):
    x = keras.Input((4,))
    y = layers.Dense(4, name="dense")(x)
    z = norm()(y)
    model = keras.Model(x, [z, y] if output else layers.Add()([z, y]))
    with pytest.raises(ValueError, match="'norm'.*'dense' .Dense. is read elsewhere"):
        fold_batch_norm(model)


def test_layer_that_cannot_be_copied():
    class Odd(layers.Layer):
        def __init__(self, function):
            super().__init__(name="odd")
            self.function = function

        def call(self, x):
            return self.function(x)

    x = keras.Input((4,))
    model = keras.Model(x, Odd(lambda x: x + 1)(x))
    with pytest.raises(ValueError, match="Layer 'odd' of type Odd cannot be copied"):
        fold_batch_norm(model)


def test_subclassed_model_is_an_error():
    with pytest.raises(ValueError, match="`model` must be a built Sequential or"):
        fold_batch_norm(keras.Model())
