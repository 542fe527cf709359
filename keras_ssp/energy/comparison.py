"""Several energy reports side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras_ssp import figures
from keras_ssp._checks import shown
from keras_ssp.energy import pages
from keras_ssp.tables import Column, Table, energy_unit, format_energy, format_share
from keras_ssp.types import Figure, StrPath


def compare_reports(
    *reports: Any, names: Sequence[str] | None = None
) -> ReportComparison:
    """Puts energy reports side by side: the energy of each layer in each of them.

    Layers belong together by name. Of two networks that differ in structure, a layer
    that one does not have shows a dash there.

    Args:
        *reports: Two or more `EnergyReport`s, of networks or of energy models; changes
            are from the first.
        names: A name for each. Defaults to the models' names, with those of the energy
            models where these differ, numbered where alike.

    Returns:
        A `ReportComparison`, whose `print`, `table()` and `plot()` show it.
        `after - before` makes the same of two reports.

    Raises:
        ValueError: If there are fewer than two reports, or the names do not fit.

    Example:

    >>> from keras_ssp import LIF, energy_report
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), LIF(),
    ...     keras.layers.Dense(2)], name="net")
    >>> x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
    >>> report = energy_report(model, x)
    >>> both = compare_reports(report, report.with_energy_model("loihi"))
    >>> both.names, both.ratio > 1
    (('net, cmos45', 'net, loihi'), True)
    """
    if len(reports) < 2:
        raise ValueError(
            f"`reports` must be two or more EnergyReports. Received: {len(reports)}."
        )
    for report in reports:
        if not isinstance(getattr(report, "layers", None), tuple):
            raise ValueError(
                f"`reports` must be EnergyReports. Received: {shown(report)}."
            )
    if names is None:
        names = _names(reports)
    right = isinstance(names, (list, tuple)) and len({*names}) == len(reports)
    if not right or len(names) != len(reports):
        raise ValueError(
            f"`names` must be {len(reports)} names, one a report, no two alike. "
            f"Received: names={shown(names)}."
        )
    return ReportComparison(reports=reports, names=tuple(map(str, names)))


@dataclass(frozen=True, kw_only=True, repr=False)
class ReportComparison:
    """Energy reports side by side, as `compare_reports` makes them.

    Args:
        reports: The reports.
        names: A name for each.
    """

    reports: tuple[Any, ...]
    names: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Energy of the last over that of the first."""
        return _ratio(self.reports[-1].energy_pj, self.reports[0].energy_pj)

    @property
    def difference_pj(self) -> float:
        """Energy of the last less that of the first, in pJ."""
        return self.reports[-1].energy_pj - self.reports[0].energy_pj

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all layers, those of the first report first."""
        return tuple(dict.fromkeys(row.name for r in self.reports for row in r))

    def __str__(self) -> str:
        return self.table().text()

    def __repr__(self) -> str:
        energies = [format_energy(report.energy_pj) for report in self.reports]
        pairs = zip(self.names, energies, strict=True)
        return f"ReportComparison({', '.join(f'{n}: {e}' for n, e in pairs)})"

    def _repr_html_(self) -> str:
        return self.table().html()

    def to_json(self) -> str:
        """The reports in full as JSON, by name."""
        reports = {
            name: report.to_dict()
            for name, report in zip(self.names, self.reports, strict=True)
        }
        return json.dumps(reports, indent=2, allow_nan=False)

    def to_html(self) -> str:
        """The comparison as a page that needs no other file."""
        return pages.whole_page("Energy per sample", [self.table().html()])

    def table(self) -> Table:
        """A row a layer: its energy in each report, and the change from the first."""
        columns = [Column(header="layer", left=True), Column(header=self.names[0])]
        for name in self.names[1:]:
            columns += [Column(header=name), Column(header="change")]
        found = self._energies()
        rows = [
            [layer, *_cells([energies.get(layer) for energies in found])]
            for layer in self.layers
        ]
        total = ["total", *_cells([report.energy_pj for report in self.reports])]
        return Table(
            columns,
            rows,
            total=total,
            title="Energy per sample, layer by layer",
            facts=[*self._facts(), ("method", self.reports[0].method)],
        )

    def _energies(self) -> list[dict[str, float]]:
        return [{row.name: row.energy_pj for row in r} for r in self.reports]

    def _facts(self) -> list[tuple[str, str]]:
        return [
            (
                name,
                f"{format_energy(report.energy_pj)} per sample, "
                f"rate {format_share(report.rate)}, T = {report.time_steps}, "
                f"{report.energy_model.name}, mean of {report.samples} samples",
            )
            for name, report in zip(self.names, self.reports, strict=True)
        ]

    def plot(self, path: StrPath | None = None, *, log: bool = False) -> Figure:
        """Draws the energy of each layer in each report, side by side.

        Args:
            path: Image file to write. Defaults to none.
            log: Whether the axis is logarithmic. Defaults to `False`.

        Returns:
            A `matplotlib.figure.Figure`.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        found = self._energies()
        largest = max((e for energies in found for e in energies.values()), default=0.0)
        size, unit = energy_unit(largest)
        values, labels = {}, {}
        for name, energies in zip(self.names, found, strict=True):
            values[name] = [energies.get(layer, 0.0) / size for layer in self.layers]
            labels[name] = [
                format_energy(energies[layer]) if layer in energies else "no such layer"
                for layer in self.layers
            ]
        totals = [format_energy(report.energy_pj) for report in self.reports]
        return figures.layer_bars(
            list(self.layers),
            values,
            path,
            labels=labels,
            log=log,
            title=f"{' and '.join(totals)} per sample\nestimate from operation counts",
            xlabel=f"energy per sample ({unit})",
        )


def _cells(energies: Sequence[float | None]) -> list[str]:
    first, *others = energies
    cells = ["-" if first is None else format_energy(first)]
    for energy in others:
        cells.append("-" if energy is None else format_energy(energy))
        cells.append(_change(first, energy))
    return cells


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "-"
    ratio = _ratio(after, before)
    return f"{100 * (ratio - 1):+.1f} %" if math.isfinite(ratio) else "-"


def _ratio(after: float, before: float) -> float:
    if before:
        return after / before
    return 1.0 if after == before else math.inf


def _names(reports: Sequence[Any]) -> list[str]:
    names = [report.model_name for report in reports]
    prices = [report.energy_model.name for report in reports]
    if len({*prices}) > 1:
        names = [f"{name}, {of}" for name, of in zip(names, prices, strict=True)]
    return [
        name if names.index(name) == k else f"{name} ({names[: k + 1].count(name)})"
        for k, name in enumerate(names)
    ]
