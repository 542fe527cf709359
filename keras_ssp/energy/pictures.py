"""The picture of an energy report."""

from __future__ import annotations

from typing import Any

from keras_ssp import figures
from keras_ssp.tables import energy_unit, format_energy, format_share
from keras_ssp.types import Axes, Figure, StrPath

KINDS = ("share", "energy", "rate")


def plot(
    report: Any, path: StrPath | None, axes: Axes | None, kind: str, *, log: bool
) -> Figure:
    """See `EnergyReport.plot`."""
    make = {"share": _shares, "energy": _energies, "rate": _rates}[kind]
    rows, values, labels, title, xlabel = make(report)
    estimate = f"estimate from operation counts, {report.energy_model.name}"
    return figures.layer_bars(
        [row.name for row in rows],
        values,
        path,
        axes=axes,
        labels=labels,
        log=log,
        most=100.0 if kind != "energy" and not log else None,
        title=title if kind == "rate" else f"{title}\n{estimate}",
        xlabel=xlabel,
    )


def _shares(report: Any) -> tuple[Any, ...]:
    """Parts of the energy, beside those of the penalty if there is one."""
    penalised = any(row.penalty is not None for row in report.layers)
    rows = [
        row
        for row in report.layers
        if not penalised or (row.spiking and not row.is_input)
    ]
    whole = report.synaptic_energy_pj if penalised else report.energy_pj
    parts = [row.energy_pj / whole if whole else 0.0 for row in rows]
    shares = {"energy": [100 * part for part in parts]}
    pairs = zip(rows, parts, strict=True)
    labels = {
        "energy": [
            f"{format_energy(row.energy_pj)} ({format_share(part)})"
            for row, part in pairs
        ]
    }
    title, of = _title(report), "energy"
    if penalised:
        penalties = [row.penalty_share or 0.0 for row in rows]
        shares["penalty"] = [100 * part for part in penalties]
        labels["penalty"] = [format_share(part) for part in penalties]
        of = "spiking layers' energy, and of the penalty"
        rest = report.energy_pj - report.synaptic_energy_pj
        if rest > 0:
            kinds = " or input" if report.input_energy_pj else ""
            title += f", {format_energy(rest)} of it analogue{kinds} (not drawn)"
    return rows, shares, labels, title, f"part of the {of} (%)"


def _energies(report: Any) -> tuple[Any, ...]:
    """The energy of every layer, in the unit of the largest."""
    rows = report.layers
    labels = [format_energy(row.energy_pj) for row in rows]
    size, unit = energy_unit(max((row.energy_pj for row in rows), default=0.0))
    values = {"energy": [row.energy_pj / size for row in rows]}
    xlabel = f"energy per sample ({unit})"
    return rows, values, {"energy": labels}, _title(report), xlabel


def _rates(report: Any) -> tuple[Any, ...]:
    """The rate of every spiking layer, with what is flagged there."""
    rows = [row for row in report.layers if row.spiking]
    labels = [", ".join([format_share(row.rate), *row.flags]) for row in rows]
    title = f"{report.model_name}: {format_share(report.rate)} of neurons and steps"
    values = {"rate": [100 * row.rate for row in rows]}
    return rows, values, {"rate": labels}, title, "spikes per neuron and step (%)"


def _title(report: Any) -> str:
    return f"{report.model_name}: {format_energy(report.energy_pj)} per sample"
