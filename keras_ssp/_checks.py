"""Checks of arguments; every error names the argument, the rule and the value."""

from __future__ import annotations

import difflib
import math
import numbers
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

# The largest number of float32, in which networks compute.
_LARGEST = 3.4028234e38
# Counts (time steps, rows, epochs) beyond this are a slip of the keyboard.
_MOST = 2**31 - 1


def boolean(name: str, value: Any) -> bool:
    """Returns `value` if it is true or false, NumPy's included; nothing else is."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(
            f"`{name}` must be True or False. Received: {name}={shown(value)}."
        )
    return bool(value)


def positive_int(name: str, value: Any, *, optional: bool = False) -> Any:
    """Returns `value` as an int of at least 1 (or `None` if `optional`)."""
    if value is None and optional:
        return None
    if not _is_integer(value) or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer{' or None' if optional else ''}. "
            f"Received: {name}={shown(value)}."
        )
    if value > _MOST:
        raise ValueError(
            f"`{name}` must be at most {_MOST}. Received: {name}={shown(value)}."
        )
    return int(value)


def whole(name: str, value: Any, *, optional: bool = False) -> Any:
    """Returns `value` as an int from 0 to 2^32 - 1, as seeds are (or `None`)."""
    if value is None and optional:
        return None
    if not _is_integer(value) or not 0 <= value < 2**32:
        raise ValueError(
            f"`{name}` must be an integer from 0 to 2^32 - 1"
            f"{' or None' if optional else ''}. Received: {name}={shown(value)}."
        )
    return int(value)


def real(
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float = -math.inf,
) -> float:
    """Returns `value` as a float with `low <= value <= high`, `> above`.

    Finite as networks compute, in float32: 1e39 is infinite there, and 1e-50 is 0.
    """
    fits = isinstance(value, numbers.Real) and not isinstance(value, bool)
    fits = fits and -math.inf < value < math.inf  # of NaN, none of these is so
    fits = fits and low <= value <= high and value > above
    if fits and (abs(value) > _LARGEST or float(np.float32(value)) <= above):
        raise ValueError(
            f"`{name}` must be {_rule(low, high, above)} in float32. "
            f"Received: {name}={shown(value)}."
        )
    if not fits:
        raise ValueError(
            f"`{name}` must be {_rule(low, high, above)}. "
            f"Received: {name}={shown(value)}."
        )
    return float(value)


def shown(value: Any) -> str:
    """`repr` of a value for an error message, never longer than a line or two."""
    try:
        text = repr(value)
    except Exception:  # an integer of 5000 digits, an object whose repr fails
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 200 else f"{text[:200]}..."


def path(name: str, value: Any, *, optional: bool = False) -> Any:
    """Returns `value` if it is a path: a string or a `pathlib.Path` (or `None`)."""
    if value is None and optional:
        return None
    if not isinstance(value, (str, os.PathLike)) or not str(value).strip():
        raise ValueError(
            f"`{name}` must be a path{' or None' if optional else ''}. "
            f"Received: {name}={shown(value)}."
        )
    return value


def function(name: str, value: Any) -> Any:
    """Returns `value` if it can be called."""
    if not callable(value):
        raise ValueError(
            f"`{name}` must be a function. Received: {name}={shown(value)}."
        )
    return value


def text(name: str, value: Any) -> str:
    """Returns `value` if it is a string."""
    if not isinstance(value, str):
        raise ValueError(f"`{name}` must be a string. Received: {name}={shown(value)}.")
    return value


def texts(name: str, value: Any) -> tuple[str, ...]:
    """Returns a list of strings as a tuple."""
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(each, str) for each in value
    ):
        raise ValueError(
            f"`{name}` must be a list of strings. Received: {name}={shown(value)}."
        )
    return tuple(value)


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Returns `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={shown(value)}.{did_you_mean(value, choices)}"
        )
    return value


def did_you_mean(value: Any, choices: Iterable[str]) -> str:
    """A sentence that proposes the choice closest to a typing error, or nothing.

    Example:

    >>> did_you_mean("learning_rat", ["learning_rate", "seed"])
    " Did you mean 'learning_rate'?"
    """
    if not isinstance(value, str) or len(value) > 100:
        return ""
    found = difflib.get_close_matches(value, list(choices), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _rule(low: float, high: float, above: float) -> str:
    if high < math.inf:
        # The bound that decides: `above` leaves its value out, `low` does not.
        opening = f"({above:g}" if above >= low else f"[{low:g}"
        return f"a number in {opening}, {high:g}]"
    if low > -math.inf:
        return f"a finite number of at least {low:g}"
    if above > -math.inf:
        return f"a finite number above {above:g}"
    return "a finite number"
