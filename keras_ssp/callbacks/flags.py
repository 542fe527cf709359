"""What is said of layers that fire never, always, or not at all any more."""

from __future__ import annotations

import warnings

from keras_ssp.energy import EnergyReport

#: What helps a layer that never fires.
CURE = (
    "a BatchNormalization before it, kernel_initializer='he_normal' in the layer "
    "before it, or a lower threshold"
)
_REMEDIES = {
    "silent": ("never fires", f"{CURE}; or a lower lambda"),
    "saturated": ("fires at nearly every step", "a higher threshold, or weaker inputs"),
}


def say_of_flags(report: EnergyReport, named: set[str]) -> None:
    """Warns of each layer that is silent or saturated, once.

    Args:
        report: What was measured.
        named: The layers that were named before; the new ones are added.
    """
    for flag, (does, remedy) in _REMEDIES.items():
        rows = [row for row in report.layers if row.is_neuron and flag in row.flags]
        new = [row.name for row in rows if f"{row.name} {flag}" not in named]
        named.update(f"{name} {flag}" for name in new)
        if new:
            warnings.warn(
                f"{listed(new)} {flag} on the data measured: it {does}, so it hands on "
                f"nothing that its input decides. Remedy: {remedy}.",
                stacklevel=3,
            )


def listed(names: list[str]) -> str:
    """`Layer 'a' is` or `Layers 'a', 'b' are`."""
    quoted = ", ".join(f"'{name}'" for name in names)
    return f"Layer {quoted} is" if len(names) == 1 else f"Layers {quoted} are"
