"""Arguments of what a config names: passed where they are taken, never lost."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from keras_ssp.types import Config

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclasses.dataclass(frozen=True)
class Argument:
    """A value of the config that is an argument of what the config names.

    Args:
        field: The field of the config that holds it.
        value: Its value.
        default: The field's default.
    """

    field: str
    value: Any
    default: Any


def select(
    function: Callable[..., Any], given: Mapping[str, Argument], what: str
) -> Config:
    """Those of the arguments that a function or class takes.

    Args:
        function: What is called.
        given: Argument name to `Argument`.
        what: What the function is called in the config, for the error.

    Raises:
        ValueError: If it does not take an argument that is not at its default: a
            value that somebody chose must not be lost.

    Example:

    >>> def leaky(learning_rate, weight_decay=0.0): ...
    >>> given = {"weight_decay": Argument("weight_decay", 0.1, 0.0),
    ...          "momentum": Argument("momentum", 0.9, 0.9)}
    >>> select(leaky, given, "optimizer='leaky'")
    {'weight_decay': 0.1}
    """
    taken = parameters(function)
    for name, argument in given.items():
        if not _takes(taken, name) and argument.value != argument.default:
            raise ValueError(
                f"`{argument.field}` must be left out with {what}, which takes no such "
                f"argument. Received: {argument.field}={argument.value!r}."
            )
    return {name: a.value for name, a in given.items() if _takes(taken, name)}


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function or class takes an argument of that name."""
    return _takes(parameters(function), name)


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names that a function or class takes as keywords; `"**"` for any name.

    A constructor with `**kwargs` passes them on, so it takes its base's too.

    Example:

    >>> class Base:
    ...     def __init__(self, weight, p=1.0): ...
    >>> class Mine(Base):
    ...     def __init__(self, share, **kwargs): ...
    >>> parameters(Mine)
    ('share', 'weight', 'p')
    """
    if not isinstance(function, type):
        return _names(function)
    found: list[str] = []
    for cls in function.__mro__:
        if "__init__" not in vars(cls):
            continue
        names = _names(vars(cls)["__init__"])
        found += [n for n in names if n not in ("self", "**", *found)]
        if "**" not in names:
            break
    return tuple(found)


def _names(function: Callable[..., Any]) -> tuple[str, ...]:
    found = inspect.signature(function).parameters.values()
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in found)
    named = [p.name for p in found if p.kind in _NAMED]
    return (*named, "**") if open_ended else tuple(named)


def _takes(taken: tuple[str, ...], name: str) -> bool:
    return name in taken or "**" in taken
