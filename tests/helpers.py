"""What many tests build on: a small network, its inputs, gradients."""

import keras
import numpy as np

from keras_ssp.layers import LIF, DirectEncoding, RateReadout


def small_snn(time_steps=3, *, dtype=None, **lif):
    """Conv stem, two spiking layers, average and max pooling, dense head."""
    arguments = {} if dtype is None else {"dtype": dtype}
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            keras.layers.Conv2D(4, 3, padding="same", name="stem", **arguments),
            DirectEncoding(time_steps, **arguments),
            LIF(name="lif1", **lif, **arguments),
            keras.layers.AveragePooling2D(2, **arguments),
            keras.layers.Conv2D(6, 3, padding="same", name="conv", **arguments),
            LIF(name="lif2", **lif, **arguments),
            keras.layers.MaxPooling2D(2, **arguments),
            keras.layers.Flatten(**arguments),
            keras.layers.Dense(5, name="head", **arguments),
            RateReadout(**arguments),
        ],
        name="small_snn",
    )


def images(n=10, shape=(8, 8, 2), seed=0):
    """Random inputs that make the neurons of `small_snn` fire."""
    return np.random.default_rng(seed).uniform(0, 4, (n, *shape)).astype("float32")


def added_loss(model, x):
    """What the layers of a model add to the loss in one run on `x`."""
    model(x)
    return sum(float(keras.ops.convert_to_numpy(each)) for each in model.losses)


def gradients(loss, inputs, weights=()):
    """Value and gradients of `loss(*inputs)` on the current backend.

    Returns the loss, the gradients with respect to the inputs (NumPy arrays), and
    those with respect to the Keras variables in `weights`.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tensors = [tf.convert_to_tensor(x) for x in inputs]
        variables = [w.value for w in weights]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = loss(*tensors)
        found = tape.gradient(value, [*tensors, *variables])
        arrays = [np.asarray(g) for g in found]
    elif backend == "jax":
        import jax

        def pure(tensors, values):
            mapping = list(zip(weights, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
                return loss(*tensors)

        value, (dx, dw) = jax.value_and_grad(pure, argnums=(0, 1))(
            list(inputs), [w.value for w in weights]
        )
        arrays = [np.asarray(g) for g in [*dx, *dw]]
    else:
        import torch

        tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
        for w in weights:
            w.value.grad = None
        value = loss(*tensors)
        value.backward()
        value = value.detach()
        arrays = [t.grad.numpy() for t in tensors] + [
            w.value.grad.numpy() for w in weights
        ]
    k = len(inputs)
    value = keras.ops.convert_to_numpy(value)
    return float(value), arrays[:k], arrays[k:]
