"""The energy report: one row per layer, totals, and the two ANN baselines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Final, cast

from keras_ssp._checks import did_you_mean, positive_int, shown, texts
from keras_ssp.energy import hardware
from keras_ssp.energy.comparison import ReportComparison, compare_reports
from keras_ssp.energy.formulas import EnergyModel, non_negative
from keras_ssp.energy.rows import (
    NOT_FINITE,
    LayerReport,
    plain,
)
from keras_ssp.energy.views import ReportViews
from keras_ssp.types import Config
from keras_ssp.types import Table as Values

__all__ = ["EnergyReport", "LayerReport"]

METHOD = "estimate:operation-counts"

_WORKED_OUT: Final = cast(float, None)  # from the other fields, when none is given


@dataclass(frozen=True, kw_only=True, repr=False)
class EnergyReport(ReportViews):
    """Where the energy of one inference goes.

    All quantities are per sample. `print(report)` shows a table; `to_json`,
    `to_markdown`, `to_csv`, `to_html`, `to_dataframe` and `plot` give it in other
    forms. `report["lif1"]` is the row of a layer, `for row in report` goes over all,
    and `after - before` compares two reports.

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
            "layers": _with_shares(self.layers),
            "notes": texts("notes", self.notes),
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

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[LayerReport]:
        return iter(self.layers)

    def __contains__(self, name: object) -> bool:
        return any(name in (row, row.name) for row in self.layers)

    def __getitem__(self, name: str | int) -> LayerReport:
        """The row of a layer, by its name or its place."""
        if isinstance(name, int):
            return self.layers[name]
        for row in self.layers:
            if row.name == name:
                return row
        names = [row.name for row in self.layers]
        hint = did_you_mean(name, names)
        raise KeyError(f"{name!r} is no row of the report.{hint} Rows: {names}.")

    def __sub__(self, before: EnergyReport) -> ReportComparison:
        """What changed since another report: `compare_reports(before, self)`."""
        if not isinstance(before, EnergyReport):
            return NotImplemented
        return compare_reports(before, self)

    def with_energy_model(self, energy_model: hardware.EnergyModelLike) -> EnergyReport:
        """The same counts under other prices; nothing is run again.

        Args:
            energy_model: As for `keras_ssp.energy_report`.

        Returns:
            A new `EnergyReport`, the one that `energy_report` returns with that model.

        Raises:
            ValueError: If the energy model is unknown, or the report was read from a
                file of an earlier version, which did not keep all counts.
        """
        model = hardware.get(energy_model)
        rows = [
            replace(row, energy_pj=model.layer_energy(row.counts())) for row in self
        ]
        again: Config = {"dense_ann_pj": None, "bit_matched_ann_pj": None}
        return replace(self, energy_model=model, layers=tuple(rows), **again)

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


_TOTALS = (
    *("spikes", "rate", "synops", "macs", "dense", "energy_pj", "synaptic_energy_pj"),
    "input_energy_pj",
)


def _with_shares(layers: Iterable[LayerReport]) -> tuple[LayerReport, ...]:
    """Returns the rows with their parts of the summed energy and penalty."""
    rows = tuple(layers)
    energy = math.fsum(row.energy_pj for row in rows)
    penalty = math.fsum(row.penalty or 0.0 for row in rows)
    return tuple(
        replace(
            row,
            share=row.energy_pj / energy if energy else 0.0,
            penalty_share=(
                None
                if row.penalty is None
                else row.penalty / penalty
                if penalty
                else 0.0
            ),
        )
        for row in rows
    )
