"""What is said of layers that fire never, always, hardly, or not at all any more."""

from __future__ import annotations

import warnings

from keras_ssp.energy import EnergyReport
from keras_ssp.layers.watch import CURE, REMEDIES

_SEVERAL, _DEEP = 4, 8  # spiking layers


def say_of_flags(report: EnergyReport, named: set[str]) -> None:
    """Warns of each layer that is silent or saturated, once.

    Args:
        report: What was measured.
        named: The layers that were named before; the new ones are added.
    """
    for flag, (does, remedy) in REMEDIES.items():
        rows = [row for row in report.layers if row.is_neuron and flag in row.flags]
        new = [row.name for row in rows if f"{row.name} {flag}" not in named]
        named.update(f"{name} {flag}" for name in new)
        if new:
            warnings.warn(
                f"{listed(new)} {flag} on the data measured: it {does}, so it hands on "
                f"nothing that its input decides. Remedy: {remedy}.",
                stacklevel=3,
            )


def say_of_start(report: EnergyReport, *, normalised: bool) -> None:
    """Warns of a network whose first epochs, or whose one step, are against it.

    What is said was measured: docs/results/defaults.md.

    Args:
        report: What was measured before the training.
        normalised: Whether the network has batch normalisations: their moving
            statistics are not those of the data yet, so its rates say nothing.
    """
    rows = [row for row in report.layers if row.is_neuron]
    hardly = [row.name for row in rows if row.rate < 0.005]
    if hardly and not normalised:
        # Networks of a few layers begin so and learn all the same, better than after
        # `calibrate`; those of a dozen stay at chance.
        when = "Remedy" if len(rows) >= _DEEP else "Remedy, if it does not learn"
        warnings.warn(
            f"{listed(hardly)} hardly firing before the training (under 0.5 % of the "
            "neurons and steps), so little reaches the layers after it, and they learn "
            f"late or never. {when}: `keras_ssp.calibrate(model, x)` before `fit`, or "
            f"{CURE}.",
            stacklevel=3,
        )
    if report.time_steps == 1 and len(rows) >= _SEVERAL:
        warnings.warn(
            f"{len(rows)} spiking layers in which each neuron says 0 or 1 only once "
            f"(T = 1), {min(row.neurons for row in rows):g} neurons in the smallest: "
            "such a network may stay below the same one of ReLU. Remedy: more time "
            "steps (`DirectEncoding(4)` after the first weighted layer, `RateReadout` "
            "at the end), or fewer or wider layers.",
            stacklevel=3,
        )


def listed(names: list[str]) -> str:
    """`Layer 'a' is` or `Layers 'a', 'b' are`."""
    quoted = ", ".join(f"'{name}'" for name in names)
    return f"Layer {quoted} is" if len(names) == 1 else f"Layers {quoted} are"
