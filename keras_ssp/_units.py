"""Energies as people write them: `"50 nJ"`."""

from __future__ import annotations

import math
import re

from keras_ssp._checks import real

PICOJOULE = 1e-12  # in J
# Picojoules in one of each unit.
_PICOJOULES = {
    "fJ": 1e-3,
    "pJ": 1.0,
    "nJ": 1e3,
    "uJ": 1e6,
    "µJ": 1e6,  # micro sign
    "μJ": 1e6,  # Greek mu, which looks the same
    "mJ": 1e9,
    "J": 1e12,
}


def picojoules(name: str, energy: str | float) -> float:
    """An energy in pJ.

    Args:
        name: The argument that it was given in, for error messages.
        energy: A number with a unit (fJ, pJ, nJ, uJ or µJ, mJ, J), such as
            `"50 nJ"`; a bare number is in pJ.

    Raises:
        ValueError: If it is no energy above 0.

    Example:

    >>> picojoules("budget", "50 nJ"), picojoules("budget", "0.05uJ")
    (50000.0, 50000.0)
    """
    if not isinstance(energy, str):
        return real(name, energy, above=0.0)
    number, unit = re.fullmatch(r"\s*(.*?)\s*([A-Za-zµμ]*)\s*", energy).groups()  # type: ignore[union-attr]
    try:
        value = float(number) * _PICOJOULES[unit]
    except (ValueError, KeyError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ValueError(
            f"`{name}` must be an energy above 0 with a unit (fJ, pJ, nJ, uJ, mJ, J), "
            f"such as '50 nJ'. Received: {name}={energy!r}."
        )
    return value
