"""Small versions of all networks; sizes are odd where they may be."""

import numpy as np

from keras_ssp import models

# The smallest images that each network takes, or a little more.
SHAPES = {
    "small_cnn": (7, 8, 1),
    "cnn7": (9, 8, 1),
    "vgg11": (17, 18, 3),
    "resnet18": (9, 8, 3),
}
WIDTHS = {"small_cnn": 0.25, "cnn7": 0.125, "vgg11": 1 / 32, "resnet18": 1 / 16}
CLASSES = 3


def small(name, **arguments):
    arguments = {"width": WIDTHS[name], "time_steps": 2} | arguments
    return models.get(name)(SHAPES[name], CLASSES, **arguments)


def images(name, n=6):
    x = np.random.default_rng(0).normal(size=(n, *SHAPES[name]))
    return x.astype("float32")


def weighted(model):
    """The layers that an ANN and an SNN have in common, by name."""
    kinds = ("Conv2D", "BatchNormalization", "Dense")
    return {x.name: x for x in model.layers if type(x).__name__ in kinds}
