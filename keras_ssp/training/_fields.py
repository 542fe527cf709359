"""The fields of a config: what their help says, and what they may be."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_ssp._checks import one_of

_REGISTERED = (
    " One of your own is known once it is registered: import the module that does it "
    "(on the command line: --import)."
)


def field(default: Any, help: str, **metadata: Any) -> Any:
    """A field of a config, with its help, which the command line shows too.

    Args:
        default: Its default.
        help: What it is.
        **metadata: `choices`, a tuple or a function that returns one, where it has
            one of these values. Where it may be more than a name: `check`, a function
            of field name and value that raises a `ValueError`; `names`, a function
            that returns the names; and `also`, what else it may be.
    """
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


def choices(field: dataclasses.Field[Any]) -> tuple[str, ...] | None:
    """The values that a field may have; names a user registered count too."""
    found = field.metadata.get("choices")
    return tuple(found()) if callable(found) else found


def check_fields(config: Any) -> None:
    """Makes sure that every field of a config has a value that it may have.

    Raises:
        ValueError: If one has not; the closest name is proposed.
    """
    for field in dataclasses.fields(config):
        value, allowed = getattr(config, field.name), choices(field)
        if allowed is not None:
            _check_choice(field, value, allowed)
        elif "check" in field.metadata:
            _check_open(field, value)


def _check_open(field: dataclasses.Field[Any], value: object) -> None:
    try:
        field.metadata["check"](field.name, value)
    except ValueError as error:
        raise ValueError(f"{error}{_REGISTERED}") from None


def _check_choice(
    field: dataclasses.Field[Any], value: object, allowed: tuple[str, ...]
) -> None:
    try:
        one_of(field.name, value, allowed)
    except ValueError as error:
        if not callable(field.metadata["choices"]):  # nobody can add to these
            raise
        raise ValueError(f"{error}{_REGISTERED}") from None
