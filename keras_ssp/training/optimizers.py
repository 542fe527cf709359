"""Optimisers by name: two of Keras', and a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, overload

import keras

from keras_ssp._registry import Registry
from keras_ssp.training._arguments import Argument, select
from keras_ssp.types import Config

#: Makes an optimiser; a class of `keras.optimizers` is one.
OptimizerFunction: TypeAlias = Callable[..., keras.optimizers.Optimizer]

_OPTIMIZERS: Registry[OptimizerFunction] = Registry("optimizer")


@overload
def register_optimizer(
    name: str, *, overwrite: bool = ...
) -> Callable[[OptimizerFunction], OptimizerFunction]: ...


@overload
def register_optimizer(
    name: str, function: OptimizerFunction, *, overwrite: bool = ...
) -> OptimizerFunction: ...


def register_optimizer(
    name: str, function: OptimizerFunction | None = None, *, overwrite: bool = False
) -> OptimizerFunction | Callable[[OptimizerFunction], OptimizerFunction]:
    """Gives an optimiser a name, for `TrainConfig` and `--optimizer`.

    Args:
        name: The name, a string without spaces.
        function: Class or function that returns a `keras.optimizers.Optimizer`. It
            gets `learning_rate` (the schedule of the config) and those of `momentum`,
            `weight_decay` and `global_clipnorm` that it takes. Left out in the form
            `@register_optimizer(name)`.
        overwrite: Whether it may replace an optimiser of that name. Defaults to
            `False`.

    Returns:
        `function`, or a decorator that returns what it decorates.

    Raises:
        ValueError: If the name is taken, or is no such string.

    Example:

    >>> _ = register_optimizer("lion", keras.optimizers.Lion)
    >>> optimizer_names()
    ('adamw', 'sgd', 'lion')
    """
    if function is None:
        return _OPTIMIZERS.register(name, overwrite=overwrite)
    return _OPTIMIZERS.register(name, function, overwrite=overwrite)


def optimizer_names() -> tuple[str, ...]:
    """Names of the optimisers."""
    return _OPTIMIZERS.names()


def get_optimizer(name: str) -> OptimizerFunction:
    """The optimiser of a name.

    Raises:
        ValueError: If the name is unknown.
    """
    return _OPTIMIZERS.get(name)


def optimizer_arguments(name: str, given: Mapping[str, Argument]) -> Config:
    """Those of the arguments that an optimiser takes.

    Raises:
        ValueError: If it does not take one that is not at its default.
    """
    return select(get_optimizer(name), given, f"optimizer={name!r}")


register_optimizer("adamw", keras.optimizers.AdamW)


@register_optimizer("sgd")
def _sgd(
    learning_rate: object,
    *,
    momentum: float,
    weight_decay: float,
    global_clipnorm: float | None,
) -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(
        learning_rate,
        momentum=momentum,
        nesterov=momentum > 0,
        weight_decay=weight_decay,
        global_clipnorm=global_clipnorm,
    )
