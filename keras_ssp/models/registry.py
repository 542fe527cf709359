"""The networks by name, and the decorator that makes a network of a body."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeAlias, overload

import keras

from keras_ssp._checks import function, one_of
from keras_ssp._registry import Registry
from keras_ssp.models.builder import NetworkBuilder
from keras_ssp.models.shapes import check_size, smallest_side
from keras_ssp.types import Tensor

P = ParamSpec("P")
Q = ParamSpec("Q")

#: A function that builds a network.
Build: TypeAlias = Callable[..., keras.Model]
#: What `network` decorates: takes the builder and the input, returns the logits.
Body: TypeAlias = Callable[[NetworkBuilder, Tensor], Tensor]

_NETWORKS: Registry[Build] = Registry("name")


def names() -> tuple[str, ...]:
    """Names of the networks, those of this package from few layers to many.

    Example:

    >>> names()
    ('small_cnn', 'cnn7', 'vgg11', 'resnet18')
    """
    return _NETWORKS.names()


def get(name: str) -> Build:
    """The function that builds a network.

    Args:
        name: One of `names()`.

    Returns:
        The function, e.g. `cnn7`.

    Raises:
        ValueError: If the name is unknown; the closest one is proposed.

    Example:

    >>> get("cnn7")((28, 28, 1), 10, width=0.25).name
    'cnn7'
    """
    # `one_of` keeps the order of the names in its message.
    return _NETWORKS.get(one_of("name", name, names()))


@overload
def register(name: str, *, overwrite: bool = ...) -> Callable[[Build], Build]: ...


@overload
def register(name: str, build: Build, *, overwrite: bool = ...) -> Build: ...


def register(
    name: str, build: Build | None = None, *, overwrite: bool = False
) -> Build | Callable[[Build], Build]:
    """Gives a network of your own a name, for `TrainConfig`, `train` and `compare`.

    The function is called as `build(input_shape, classes, width=..., time_steps=...,
    activation=..., pooling=..., **neuron)`, as the networks here are, and returns a
    Keras model with logits. `network` makes such a function and registers it. The name
    is known in this process.

    Args:
        name: The name, without spaces.
        build: The function. Left out, `register` is a decorator.
        overwrite: Whether it may replace a network of that name. A function that is
            defined again, as in a notebook cell, replaces itself in any case.

    Returns:
        The function, or a decorator that returns it.

    Raises:
        ValueError: If the name is taken.

    Example:

    >>> @register("deeper_cnn")
    ... def deeper_cnn(input_shape, classes, **options):
    ...     return get("cnn7")(input_shape, classes, name="deeper_cnn", **options)
    >>> get("deeper_cnn")((28, 28, 1), 10, width=0.25).name
    'deeper_cnn'
    """
    if build is None:
        return _NETWORKS.register(name, overwrite=overwrite)
    return _NETWORKS.register(name, function("build", build), overwrite=overwrite)


def _with_arguments_of(
    builder: Callable[P, NetworkBuilder],
) -> Callable[
    [Callable[Q, Callable[[Body], Build]]],
    Callable[Q, Callable[[Body], Callable[P, keras.Model]]],
]:
    """Tells the type checker that the networks take the builder's arguments."""
    return lambda decorator: decorator


@_with_arguments_of(NetworkBuilder)
def network(
    name: str,
    *,
    halvings: int = 0,
    activations: Collection[str] | None = None,
    overwrite: bool = False,
) -> Callable[[Body], Build]:
    """Makes a network of a function that calls the layers, and registers it.

    The function takes a `NetworkBuilder` and the network's input and returns the
    logits. The network takes the builder's arguments, `network(input_shape, classes,
    *, width=1.0, time_steps=4, ...)`, and returns a Keras model; its documentation
    describes them after the function's own.

    Args:
        name: Name of the network, for `get`, `TrainConfig`, `train` and `compare`,
            and of its models where they are given none.
        halvings: How often the network halves height and width; smaller images are
            rejected. Defaults to 0.
        activations: Names of the activations that it may have. Defaults to all.
        overwrite: As for `register`.

    Returns:
        A decorator that returns the network.

    Raises:
        ValueError: If the name is taken.

    Example:

    >>> @network("two_convs", halvings=1)
    ... def two_convs(net, x):
    ...     y = net.pool(net.stem(x, 16))
    ...     y = net.neurons(net.conv(y, 32))
    ...     return net.head(net.global_pool(y))
    >>> model = two_convs((8, 8, 1), 10, width=0.5, beta=0.9)
    >>> model.name, model.output_shape
    ('two_convs', (None, 10))
    """

    def decorate(body: Body) -> Build:
        signature = _signature(name)

        def build(*args: object, **kwargs: object) -> keras.Model:
            bound = signature.bind(*args, **kwargs)  # a wrong call names the network's
            bound.apply_defaults()
            net = NetworkBuilder(*bound.args, **bound.kwargs)
            if activations is not None:
                one_of("activation", net.activation, tuple(activations))
            check_size(net.name, net.image.shape[1:], halvings)
            return net.model(body(net, net.image))

        functools.update_wrapper(build, body)
        del build.__wrapped__  # type: ignore[attr-defined]  # it has other arguments
        build.__signature__ = signature  # type: ignore[attr-defined]
        build.__annotations__ = {}
        build.__doc__ = _documentation(body, smallest_side(halvings))
        return register(name, build, overwrite=overwrite)

    return decorate


def _signature(name: str) -> inspect.Signature:
    """The builder's signature, with a network's name as that of the model."""
    signature = inspect.signature(NetworkBuilder)
    parameters = dict(signature.parameters)
    parameters["name"] = parameters["name"].replace(default=name)
    return signature.replace(
        parameters=list(parameters.values()), return_annotation="keras.Model"
    )


def _documentation(body: Body, side: int) -> str:
    """The body's documentation, with the arguments before its example."""
    written = inspect.cleandoc(body.__doc__ or "")
    builder = inspect.cleandoc(NetworkBuilder.__doc__ or "")
    arguments = builder.partition("Args:\n")[2].partition("\n\n")[0]
    before, heading, after = written.partition("\n\nExample:\n")
    return (
        f"{before}\n\nImages must have a height and width of at least {side}.\n\n"
        f"Args:\n{arguments}\n\nReturns:\n    A `keras.Model` that returns logits, "
        f"`(batch, classes)`.{heading}{after}"
    )
