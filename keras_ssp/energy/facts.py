"""What an energy report says below its table."""

from __future__ import annotations

import re
from typing import Any

from keras_ssp.energy.formulas import activation_bits
from keras_ssp.tables import format_count, format_energy

_NAMED = 6  # layers with the same remark that are named
_ESTIMATE = "Energies are an estimate from operation counts, not a measurement."


def facts_of(report: Any) -> list[tuple[str, str]]:
    """What follows the table, as (label, sentence)."""
    events = any(row.is_input for row in report.layers)
    inputs = f"input events {format_energy(report.input_energy_pj)}, "
    steps = ""
    if report.data_steps is not None:
        steps = f", for one of the {report.data_steps} steps that a sample has"
    facts = [
        (
            "total",
            f"{format_energy(report.energy_pj)} per sample: "
            f"spiking layers {format_energy(report.synaptic_energy_pj)}, "
            f"{inputs if events else ''}"
            f"analogue synapses {format_energy(report.analogue_energy_pj)}; "
            f"mean of {report.samples} samples",
        ),
        (
            "dense ANN",
            f"{_against(report, report.dense_ann_pj)} "
            f"({format_count(report.ann_macs)} MACs{steps})",
        ),
        (
            "bit-matched ANN",
            f"{_against(report, report.bit_matched_ann_pj)} "
            f"({activation_bits(report.time_steps)}-bit activations, "
            f"as T = {report.time_steps} steps carry{steps})",
        ),
    ]
    if not report.finite:
        facts.append(
            (
                "not finite",
                "the network has diverged: its counts and energies are not numbers",
            )
        )
    for flag, names in _by_remark(report.layers, "flags").items():
        facts.append(("flagged", f"{flag}: {_listed(names)}"))
    for note, names in _by_remark(report.layers, "notes").items():
        said = _alike(note) if len(names) > 1 else note
        facts.append(("note", f"{_listed(names)}: {said}"))
    facts += [("note", note) for note in report.notes]
    model = report.energy_model
    prices = f"AC {model.ac_pj:g} pJ, MAC {model.mac_pj:g} pJ"
    about = f"; {model.description}" if model.description else ""
    facts.append(("energy model", f"{model.name} ({prices}{about})"))
    facts.append(("source", model.source or "not given"))
    facts.append(("method", f"{report.method}. {_ESTIMATE}"))
    return facts


def _by_remark(rows: Any, field: str) -> dict[str, list[str]]:
    """Each remark on rows, and the names of those that it is on."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        for remark in getattr(row, field):
            found.setdefault(_alike(remark), []).append((remark, row.name))
    return {same[0][0]: [name for _, name in same] for same in found.values()}


def _alike(remark: str) -> str:
    """What remarks of one kind have in common: not the layers that they name."""
    return re.sub(r" through [^:]*:", ":", remark)


def _listed(names: list[str]) -> str:
    """Some names; the report as a table or a file has all of them."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"


def _against(report: Any, ann_pj: float) -> str:
    energy = report.energy_pj
    ratio = f", {ann_pj / energy:.3g} times the network" if energy else ""
    return f"{format_energy(ann_pj)}{ratio}"
