"""Checks of arguments; every error names the argument, the rule and the value."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable
from typing import Any


def positive_int(name: str, value: Any, *, optional: bool = False) -> Any:
    """Returns `value` as an int of at least 1 (or `None` if `optional`)."""
    if value is None and optional:
        return None
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer{' or None' if optional else ''}. "
            f"Received: {name}={value!r}."
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
    """Returns `value` as a finite float with `low <= value <= high`, `> above`."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    fits = number and math.isfinite(value) and low <= value <= high and value > above
    if not fits:
        raise ValueError(
            f"`{name}` must be {_rule(low, high, above)}. Received: {name}={value!r}."
        )
    return float(value)


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Returns `value` if it is one of `choices`."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={value!r}.{did_you_mean(value, choices)}"
        )
    return str(value)


def did_you_mean(value: Any, choices: Iterable[str]) -> str:
    """A sentence that proposes the choice closest to a typing error, or nothing.

    Example:

    >>> did_you_mean("learning_rat", ["learning_rate", "seed"])
    " Did you mean 'learning_rate'?"
    """
    found = difflib.get_close_matches(str(value), list(choices), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


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
