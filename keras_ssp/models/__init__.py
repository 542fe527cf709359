"""Ready-made networks; each is a function that returns a plain Keras model."""

from __future__ import annotations

from collections.abc import Callable

import keras

from keras_ssp._checks import one_of
from keras_ssp.models.cnn7 import cnn7
from keras_ssp.models.resnet18 import resnet18
from keras_ssp.models.small_cnn import small_cnn
from keras_ssp.models.vgg11 import vgg11

__all__ = ["cnn7", "get", "names", "resnet18", "small_cnn", "vgg11"]

_NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "small_cnn": small_cnn,
    "cnn7": cnn7,
    "vgg11": vgg11,
    "resnet18": resnet18,
}


def names() -> tuple[str, ...]:
    """Names of the networks, from few layers to many.

    Example:

    >>> names()
    ('small_cnn', 'cnn7', 'vgg11', 'resnet18')
    """
    return tuple(_NETWORKS)


def get(name: str) -> Callable[..., keras.Model]:
    """The function that builds a network.

    Args:
        name: One of `names()`.

    Returns:
        The function, e.g. `cnn7`.

    Raises:
        ValueError: If `name` is unknown.

    Example:

    >>> get("cnn7")((28, 28, 1), 10, width=0.25).name
    'cnn7'
    """
    return _NETWORKS[one_of("name", name, names())]
