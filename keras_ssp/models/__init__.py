"""Ready-made networks; each is a function that returns a plain Keras model."""

from __future__ import annotations

from collections.abc import Callable

import keras

from keras_ssp._checks import one_of
from keras_ssp.models.cnn7 import cnn7
from keras_ssp.models.resnet18 import resnet18
from keras_ssp.models.small_cnn import small_cnn
from keras_ssp.models.vgg11 import vgg11

__all__ = ["cnn7", "get", "names", "register", "resnet18", "small_cnn", "vgg11"]

Builder = Callable[..., keras.Model]

_NETWORKS: dict[str, Builder] = {
    "small_cnn": small_cnn,
    "cnn7": cnn7,
    "vgg11": vgg11,
    "resnet18": resnet18,
}
_OURS = tuple(_NETWORKS)


def names() -> tuple[str, ...]:
    """Names of the networks, from few layers to many.

    Example:

    >>> names()
    ('small_cnn', 'cnn7', 'vgg11', 'resnet18')
    """
    return tuple(_NETWORKS)


def get(name: str) -> Builder:
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


def register(name: str) -> Callable[[Builder], Builder]:
    """Gives a network of your own a name, for `TrainConfig`, `train` and `compare`.

    The function is called as `build(input_shape, classes, width=..., time_steps=...,
    activation=..., pooling=..., **lif)`, as the networks here are, and returns a Keras
    model with logits. It is known in this process; registering it again replaces it.

    Args:
        name: The name; not that of a network of this package.

    Returns:
        A decorator that returns the function itself.

    Raises:
        ValueError: If `name` is no identifier, or that of a network of this package.

    Example:

    >>> @register("deeper_cnn")
    ... def deeper_cnn(input_shape, classes, **options):
    ...     return cnn7(input_shape, classes, name="deeper_cnn", **options)
    >>> get("deeper_cnn")((28, 28, 1), 10, width=0.25).name
    'deeper_cnn'
    """
    if not isinstance(name, str) or not name.isidentifier() or name in _OURS:
        raise ValueError(
            "`name` must be an identifier that is not the name of a network of this "
            f"package ({', '.join(_OURS)}). Received: name={name!r}."
        )

    def add(build: Builder) -> Builder:
        _NETWORKS[name] = build
        return build

    return add
