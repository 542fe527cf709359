"""Random layer stacks, and a brute-force count of what one input element touches."""

import keras
import numpy as np
from keras import layers


def touched(layer, shape):
    """Nonzero products of each input element with the weights of `layer`.

    Perturbs one input element at a time with all weights 1 and no bias: each output
    then changes by the number of weights through which the element reaches it.
    """
    if not layer.built:
        layer.build((None, *shape))
    for weight in layer.weights:
        weight.assign(
            np.zeros(weight.shape) if "bias" in weight.name else np.ones(weight.shape)
        )
    n = int(np.prod(shape))
    one_hot = np.eye(n, dtype="float32").reshape(n, *shape)
    response = np.asarray(keras.ops.convert_to_numpy(layer(one_hot)))
    return np.rint(response.reshape(n, -1).sum(axis=1)).reshape(shape)


def random_synapse(rng, shape):
    """A weighted layer that accepts features of `shape`."""
    rank = len(shape) - 1
    if rank == 0:
        return layers.Dense(int(rng.integers(1, 6)))
    kind = rng.choice(["conv", "depthwise", "transpose", "dense", "einsum", "grouped"])
    kernel = int(rng.integers(1, 4))
    padding = str(rng.choice(["same", "valid"]))
    stride = int(rng.integers(1, 4))
    dilation = int(rng.integers(1, 3)) if stride == 1 else 1
    if min(shape[:-1]) < (kernel - 1) * dilation + 1:
        padding = "same"
    if kind == "dense":
        return layers.Dense(int(rng.integers(1, 6)))
    if rank == 3 and stride > kernel:
        # Without oneDNN, TensorFlow's Conv3D pads "same" by a negative number there
        # and reads other elements than it documents (and than its Conv2D reads).
        padding = "valid"
    if kind == "einsum":
        if rank != 2:
            return layers.EinsumDense("...c,cd->...d", 4)
        return layers.EinsumDense("bhwc,wcd->bhd", (shape[0], 4))
    if kind == "depthwise" and rank < 3:
        cls = [layers.DepthwiseConv1D, layers.DepthwiseConv2D][rank - 1]
        return cls(kernel, strides=stride, padding=padding, depth_multiplier=2)
    if kind == "transpose":
        cls = [layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose]
        return cls[rank - 1](3, kernel, strides=stride, padding=padding)
    cls = [layers.Conv1D, layers.Conv2D, layers.Conv3D][rank - 1]
    if rank == 1 and rng.random() < 0.3:
        padding = "causal"
    groups = 2 if kind == "grouped" and shape[-1] % 2 == 0 and rank < 3 else 1
    return cls(
        4,
        kernel,
        strides=stride,
        padding=padding,
        dilation_rate=dilation,
        groups=groups,
    )


def random_route(rng, shape):
    """A layer without weights that accepts features of `shape`, or `None`."""
    rank = len(shape) - 1
    if rank == 0:
        return None
    k = rank - 1
    wide = min(shape[:-1]) >= 3
    choices = [
        lambda: [layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D][k](
            1
        ),
        lambda: [layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D][k](2),
        lambda: layers.Flatten(),
        lambda: layers.Permute(tuple(int(a) for a in rng.permutation(rank + 1) + 1)),
        lambda: layers.Reshape((-1, shape[-1])),
        lambda: layers.Dropout(0.5),
        lambda: layers.BatchNormalization(),
        lambda: layers.Activation("linear"),
    ]
    if wide:
        pools = [layers.AveragePooling1D, layers.AveragePooling2D]
        pools.append(layers.AveragePooling3D)
        cuts = [layers.Cropping1D, layers.Cropping2D, layers.Cropping3D]
        choices += [
            lambda: pools[k](
                int(rng.integers(2, 4)),
                strides=int(rng.integers(1, 3)),
                padding=str(rng.choice(["same", "valid"])),
            ),
            lambda: cuts[k](1),
        ]
    return choices[int(rng.integers(len(choices)))]()


def random_shape(rng):
    """Features of rank 1 to 4, small."""
    rank = int(rng.integers(0, 4))
    sizes = [int(n) for n in rng.integers(3, [12, 7, 6, 5][rank], size=rank)]
    return (*sizes, int(rng.choice([2, 3, 4])))


def route_fan(layer, shape):
    """Which outputs each input element reaches: boolean (inputs, outputs)."""
    n = int(np.prod(shape))
    one_hot = np.eye(n, dtype="float32").reshape(n, *shape)
    response = np.asarray(keras.ops.convert_to_numpy(layer(one_hot, training=False)))
    base = np.asarray(
        keras.ops.convert_to_numpy(
            layer(np.zeros((1, *shape), "float32"), training=False)
        )
    )
    return (response != base).reshape(n, -1), response.shape[1:]
