"""The energy report: one row per layer, totals, and the two ANN baselines."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from keras_ssp.energy import hardware, render
from keras_ssp.energy.formulas import EnergyModel, non_negative
from keras_ssp.energy.rows import LayerReport, with_shares

__all__ = ["EnergyReport", "LayerReport"]

METHOD = "estimate:operation-counts"

StrPath: TypeAlias = str | PathLike[str]
_DERIVED = math.nan  # "work it out from the other fields"


@dataclass(frozen=True, kw_only=True)
class EnergyReport:
    """Where the energy of one inference goes.

    All quantities are per sample. `print(report)` shows the table, `to_json`,
    `to_markdown`, `to_csv` and `plot` write it.

    Args:
        model_name: Name of the model.
        energy_model: The energy model, or anything `hardware.get` accepts.
        samples: Samples the counts are averaged over.
        time_steps: T.
        layers: Rows; their `share` and `penalty_share` are filled in here.
        ann_macs: MACs of the ANN of the same shape.
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
    dense_ann_pj: float = _DERIVED
    bit_matched_ann_pj: float = _DERIVED
    notes: tuple[str, ...] = ()
    method: str = METHOD

    def __post_init__(self) -> None:
        model = hardware.get(self.energy_model)
        for name in ("samples", "time_steps"):
            count = int(non_negative(name, getattr(self, name)))
            if count < 1:
                raise ValueError(f"`{name}` must be >= 1. Received: {name}={count}.")
            object.__setattr__(self, name, count)
        dense, matched = self.dense_ann_pj, self.bit_matched_ann_pj
        if math.isnan(dense):
            dense = model.dense_ann_pj(self.ann_macs)
        if math.isnan(matched):
            matched = model.bit_matched_ann_pj(self.ann_macs, self.time_steps)
        derived: dict[str, Any] = {
            "energy_model": model,
            "ann_macs": non_negative("ann_macs", self.ann_macs),
            "dense_ann_pj": non_negative("dense_ann_pj", dense),
            "bit_matched_ann_pj": non_negative("bit_matched_ann_pj", matched),
            "layers": with_shares(self.layers),
            "notes": tuple(self.notes),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def _sum(self, value: Callable[[LayerReport], float]) -> float:
        return math.fsum(value(row) for row in self.layers)

    @property
    def spikes(self) -> float:
        """Spikes of all layers."""
        return self._sum(lambda row: row.spikes)

    @property
    def rate(self) -> float:
        """Spikes per spiking neuron and step."""
        slots = sum(r.neurons * r.time_steps for r in self.layers if r.spiking)
        return self.spikes / slots if slots else 0.0

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
        """Energy of the spiking rows alone, which the penalty can move, in pJ."""
        return self._sum(lambda row: row.energy_pj if row.spiking else 0.0)

    def __str__(self) -> str:
        return render.text(self)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain JSON types, totals included."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data["energy_model"] = self.energy_model.to_dict()
        data["layers"] = [row.to_dict() for row in self.layers]
        data["notes"] = list(self.notes)
        totals = {name: getattr(self, name) for name in _TOTALS}
        # NeuroBench's names, for who compares files.
        totals |= {"Effective_ACs": self.synops, "Effective_MACs": self.macs}
        data["totals"] = totals | {"Dense": self.dense}
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "EnergyReport":
        """Builds a report from what `to_dict` returned."""
        values = {k: v for k, v in data.items() if k != "totals"}
        values["layers"] = [LayerReport.from_dict(row) for row in data["layers"]]
        return cls(**values)

    def to_json(self, path: StrPath | None = None) -> str:
        """Returns the report as JSON, and writes it to `path` if given."""
        return _write(json.dumps(self.to_dict(), indent=2, allow_nan=False), path)

    def to_markdown(self, path: StrPath | None = None) -> str:
        """Returns the report as a Markdown table, and writes it to `path` if given."""
        return _write(render.markdown(self), path)

    def to_csv(self, path: StrPath | None = None) -> str:
        """Returns the rows as CSV in plain units, and writes them if given a path."""
        return _write(render.csv_rows(self), path)

    def plot(self, path: StrPath | None = None) -> Any:
        """Draws the energy of each layer, beside its penalty if there is one.

        Args:
            path: Image file to write. Defaults to none.

        Returns:
            A `matplotlib.figure.Figure`, which no pyplot state refers to.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        figure = render.figure(self)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


_TOTALS = (
    *("spikes", "rate", "synops", "macs", "dense", "energy_pj", "synaptic_energy_pj"),
)


def _write(text: str, path: StrPath | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", newline="")
    return text
