"""The energy report: one row per layer, totals, and the two ANN baselines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, cast

from keras_ssp import figures
from keras_ssp._checks import positive_int, shown
from keras_ssp.energy import hardware
from keras_ssp.energy.facts import facts_of
from keras_ssp.energy.formulas import EnergyModel, non_negative
from keras_ssp.energy.rows import (
    NOT_FINITE,
    LayerReport,
    columns_of,
    notes_of,
    plain,
    with_shares,
)
from keras_ssp.tables import Table, format_energy
from keras_ssp.types import Config, Figure, StrPath
from keras_ssp.types import Table as Values

__all__ = ["EnergyReport", "LayerReport"]

METHOD = "estimate:operation-counts"

_WORKED_OUT: Final = cast(float, None)  # from the other fields, when none is given


@dataclass(frozen=True, kw_only=True)
class EnergyReport:
    """Where the energy of one inference goes.

    All quantities are per sample. `print(report)` shows the table, `to_json`,
    `to_markdown`, `to_csv` and `plot` write it; `table` gives it to other formats.

    Args:
        model_name: Name of the model.
        energy_model: The energy model, or anything `hardware.get` accepts.
        samples: Positive integer, samples that the counts are averaged over.
        time_steps: Positive integer T.
        layers: Rows; their `share` and `penalty_share` are filled in here.
        ann_macs: MACs of the ANN of the same shape, for one input; of data with a time
            axis of their own, for one of its steps.
        data_steps: T, if the data have a time axis of their own. Defaults to `None`.
        dense_ann_pj: Its energy. Defaults to `energy_model.dense_ann_pj(ann_macs)`.
        bit_matched_ann_pj: Energy of the equal-precision quantised ANN. Defaults to
            `energy_model.bit_matched_ann_pj(ann_macs, time_steps)`.
        notes: Remarks on how the model was counted.
        method: How the energy was found: an estimate, never a measurement.

    Raises:
        ValueError: If the energy model is unknown, `samples` or `time_steps` is
            below 1, or a number is negative or not finite.

    Example:

    >>> row = LayerReport(name="lif", kind="lif", neurons=4, time_steps=2, spikes=2,
    ...     synops=20, fan_out=10, dense=80, energy_pj=18.0)
    >>> report = EnergyReport(model_name="net", energy_model="cmos45", samples=1,
    ...     time_steps=2, layers=[row], ann_macs=40)
    >>> report.energy_pj, report.rate, report.dense_ann_pj
    (18.0, 0.25, 184.0)
    """

    model_name: str
    energy_model: EnergyModel
    samples: int
    time_steps: int
    layers: tuple[LayerReport, ...]
    ann_macs: float = 0.0
    data_steps: int | None = None
    dense_ann_pj: float = _WORKED_OUT
    bit_matched_ann_pj: float = _WORKED_OUT
    notes: tuple[str, ...] = ()
    method: str = METHOD

    def __post_init__(self) -> None:
        model = hardware.get(self.energy_model)
        for name in ("samples", "time_steps"):
            object.__setattr__(self, name, positive_int(name, getattr(self, name)))
        macs = non_negative("ann_macs", self.ann_macs)
        object.__setattr__(self, "ann_macs", macs)
        rows = isinstance(self.layers, (list, tuple))
        if not rows or not all(isinstance(row, LayerReport) for row in self.layers):
            raise ValueError(
                "`layers` must be a list of LayerReport. "
                f"Received: layers={shown(self.layers)}."
            )
        if self.data_steps is not None:
            positive_int("data_steps", self.data_steps)
        dense, matched = self.dense_ann_pj, self.bit_matched_ann_pj
        if dense is None:
            dense = model.dense_ann_pj(self.ann_macs)
        if matched is None:
            matched = model.bit_matched_ann_pj(self.ann_macs, self.time_steps)
        derived: Config = {
            "energy_model": model,
            "dense_ann_pj": non_negative("dense_ann_pj", dense),
            "bit_matched_ann_pj": non_negative("bit_matched_ann_pj", matched),
            "layers": with_shares(self.layers),
            "notes": notes_of(self.notes),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def _sum(self, value: Callable[[LayerReport], float]) -> float:
        return math.fsum(value(row) for row in self.layers)

    @property
    def neurons(self) -> int:
        """Neurons of the spiking layers; encoding layers that emit spikes count."""
        return sum(row.neurons for row in self.layers if row.spiking)

    @property
    def spikes(self) -> float:
        """Spikes of all layers."""
        return self._sum(lambda row: row.spikes)

    @property
    def rate(self) -> float:
        """Spikes per neuron and step, the mean of the rows' rates."""
        rows = [r for r in self.layers if r.spiking]
        slots = sum(r.neurons * r.time_steps for r in rows)
        fired = math.fsum(r.rate * r.neurons * r.time_steps for r in rows)
        return fired / slots if slots else 0.0

    @property
    def synops(self) -> float:
        """Accumulates executed."""
        return self._sum(lambda row: row.synops)

    @property
    def macs(self) -> float:
        """Multiply-accumulates executed."""
        return self._sum(lambda row: row.macs)

    @property
    def dense(self) -> float:
        """Operations if nothing were zero."""
        return self._sum(lambda row: row.dense)

    @property
    def energy_pj(self) -> float:
        """Energy of the network, in pJ."""
        return self._sum(lambda row: row.energy_pj)

    @property
    def synaptic_energy_pj(self) -> float:
        """Energy of neurons' spikes and of gates, which a penalty can move, in pJ."""
        return self._sum(
            lambda row: row.energy_pj if row.spiking and not row.is_input else 0.0
        )

    @property
    def input_energy_pj(self) -> float:
        """Energy of the data's own events, which no training changes, in pJ."""
        return self._sum(lambda row: row.energy_pj if row.is_input else 0.0)

    @property
    def input_synops(self) -> float:
        """Accumulates that the events of the data trigger."""
        return self._sum(lambda row: row.synops if row.is_input else 0.0)

    @property
    def analogue_energy_pj(self) -> float:
        """Energy of the synapses that analogue values drive, in pJ."""
        return self._sum(lambda row: 0.0 if row.spiking else row.energy_pj)

    @property
    def finite(self) -> bool:
        """Whether every count is a number: no part of the network has diverged."""
        return not any(NOT_FINITE in row.flags for row in self.layers)

    def __str__(self) -> str:
        return self.table().text()

    def table(self, title: str | None = None) -> Table:
        """The report as a table in readable units: a row a layer, totals, facts.

        Args:
            title: The line above. Defaults to one with the name of the model.

        Returns:
            A `keras_ssp.tables.Table`, which writes text, Markdown, CSV or HTML.
        """
        columns = columns_of(self.layers)
        totals = [column.total_cell(self, self.layers) for column in columns]
        return Table(
            columns,
            [[column.cell(row) for column in columns] for row in self.layers],
            total=["total", *totals[1:]],
            title=title or f"Energy of {self.model_name!r}, per sample",
            facts=facts_of(self),
        )

    def to_dict(self) -> Config:
        """Returns the report as plain JSON types, totals included."""
        data = {field.name: plain(getattr(self, field.name)) for field in fields(self)}
        data["energy_model"] = self.energy_model.to_dict()
        data["layers"] = [row.to_dict() for row in self.layers]
        data["notes"] = list(self.notes)
        totals = {name: plain(getattr(self, name)) for name in _TOTALS}
        # NeuroBench's names, for who compares files.
        totals |= {"Effective_ACs": totals["synops"], "Effective_MACs": totals["macs"]}
        data["totals"] = totals | {"Dense": totals["dense"]}
        return data

    @classmethod
    def from_dict(cls, data: Values) -> EnergyReport:
        """Builds a report from what `to_dict` returned."""
        values = {k: v for k, v in data.items() if k != "totals"}
        values["layers"] = [LayerReport.from_dict(row) for row in data["layers"]]
        return cls(**values)

    def to_json(self, path: StrPath | None = None) -> str:
        """Returns the report as JSON, and writes it to `path` if given."""
        return _write(json.dumps(self.to_dict(), indent=2, allow_nan=False), path)

    def to_markdown(self, path: StrPath | None = None) -> str:
        """Returns the report as a Markdown table, and writes it to `path` if given."""
        title = f"Energy of `{self.model_name}`, per sample"
        table = self.table(title)
        # Flags are at the right in Markdown, as in the files that exist.
        table.columns = tuple(
            replace(column, left=k < 2) for k, column in enumerate(table.columns)
        )
        return _write(table.markdown() + "\n", path)

    def to_csv(self, path: StrPath | None = None) -> str:
        """Returns the rows as CSV in plain units, and writes them if given a path."""
        rows = [row.to_dict() for row in self.layers]
        if not rows:
            return _write("", path)
        table = Table(list(rows[0]), [list(row.values()) for row in rows])
        return _write(table.csv(), path)

    def plot(self, path: StrPath | None = None) -> Figure:
        """Draws the energy of each layer, beside its penalty if there is one.

        With a penalty, only spiking layers are drawn and their parts are of the
        spiking layers' energy: an analogue stem has energy but nothing to penalise,
        and would hide that the two are proportional.

        Args:
            path: Image file to write. Defaults to none.

        Returns:
            A `matplotlib.figure.Figure`, which no pyplot state refers to.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        penalised = any(row.penalty is not None for row in self.layers)
        rows = [
            row
            for row in self.layers
            if not penalised or (row.spiking and not row.is_input)
        ]
        whole = self.synaptic_energy_pj if penalised else self.energy_pj
        energies = [row.energy_pj / whole if whole else 0.0 for row in rows]
        shares = {"energy": energies}
        title = f"{self.model_name}: {format_energy(self.energy_pj)} per sample"
        of = "energy"
        if penalised:
            shares["penalty"] = [row.penalty_share or 0.0 for row in rows]
            of = "spiking layers' energy, and of the penalty"
            rest = self.energy_pj - self.synaptic_energy_pj
            if rest > 0:
                kinds = " or input" if self.input_energy_pj else ""
                title += f", {format_energy(rest)} of it analogue{kinds} (not drawn)"
        return figures.layer_bars(
            [row.name for row in rows],
            shares,
            path,
            amounts={"energy": [format_energy(row.energy_pj) for row in rows]},
            title=f"{title}\nestimate from operation counts, {self.energy_model.name}",
            xlabel=f"part of the {of} (%)",
        )


_TOTALS = (
    *("spikes", "rate", "synops", "macs", "dense", "energy_pj", "synaptic_energy_pj"),
    "input_energy_pj",
)


def _write(text: str, path: StrPath | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", newline="")
    return text
