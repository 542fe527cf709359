"""Small networks to convert."""

import keras
import numpy as np
import pytest
from keras import layers


def randomize(model, seed=0):
    """Gives batch normalisations the statistics and weights of a trained network."""
    rng = np.random.default_rng(seed)
    for layer in [model, *model._flatten_layers(include_self=False)]:
        if isinstance(layer, layers.BatchNormalization):
            for weight, (low, high) in (
                (layer.gamma, (0.5, 1.5)),
                (layer.beta, (-0.3, 0.3)),
                (layer.moving_mean, (-0.3, 0.3)),
                (layer.moving_variance, (0.3, 2.0)),
            ):
                if weight is not None:
                    weight.assign(rng.uniform(low, high, weight.shape))
        elif getattr(layer, "use_bias", False) and layer.built:
            layer.bias.assign(rng.uniform(-0.2, 0.2, layer.bias.shape))
    return model


def conv_block(y, filters, activation, **arguments):
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False, **arguments)(y)
    y = layers.BatchNormalization()(y)
    return y if activation is None else activation()(y)


def plain(pool=None, activation=layers.ReLU, shape=(8, 8, 2)):
    """Two convolutions with a pool in between, and a dense head."""
    x = keras.Input(shape)
    y = conv_block(x, 6, activation)
    y = (pool or layers.AveragePooling2D(2))(y)
    y = conv_block(y, 8, activation)
    y = layers.Dropout(0.5)(layers.Flatten()(y))
    return randomize(keras.Model(x, layers.Dense(5)(y), name="plain"))


def residual(pool=None, activation=layers.ReLU, shape=(8, 8, 2)):
    """One block with an identity shortcut, one with a 1x1 convolution."""
    x = keras.Input(shape)
    y = shortcut = conv_block(x, 6, activation)
    y = conv_block(conv_block(y, 6, activation), 6, None)
    y = activation(name="after_identity")(layers.Add(name="sum")([y, shortcut]))
    y = (pool or layers.AveragePooling2D(2))(y)
    shortcut = layers.BatchNormalization()(layers.Conv2D(8, 1, strides=2)(y))
    y = conv_block(conv_block(y, 8, activation, strides=2), 8, None)
    y = layers.GlobalAveragePooling2D()(
        activation(name="after_projection")(y + shortcut)
    )
    return randomize(keras.Model(x, layers.Dense(5)(y), name="residual"))


def inputs(n=12, shape=(8, 8, 2), seed=0):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype("float32")


def outputs(model, x):
    """What a model returns in evaluation mode, as NumPy arrays."""
    y = keras.tree.map_structure(
        lambda t: keras.ops.convert_to_numpy(keras.ops.stop_gradient(t)),
        model(x, training=False),
    )
    return y


def some_on_every_backend(names, some):
    """Parameters of which `some` also run on JAX and torch, where eager is slow."""
    mark = pytest.mark.every_backend
    return [pytest.param(n, marks=[mark] if n in some else []) for n in names]
