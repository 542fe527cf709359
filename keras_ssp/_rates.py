"""Rates of firing at which a layer is worth a word."""

from __future__ import annotations

#: Spikes per neuron and step from which on a layer hands on next to nothing.
SATURATED_RATE = 0.95
SILENT, SATURATED = "silent", "saturated"


def flag_of(least: float, most: float) -> str | None:
    """`"silent"`, `"saturated"` or `None`, from the least and largest rate seen.

    A rate that is NaN is neither.
    """
    if most == 0.0:
        return SILENT
    return SATURATED if SATURATED_RATE <= least else None
