"""How an energy report looks: text, HTML, files, a data frame, a picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_ssp._checks import boolean, one_of, positive_int
from keras_ssp._extras import require
from keras_ssp.energy import pages, pictures
from keras_ssp.energy.columns import ReportColumn
from keras_ssp.energy.facts import facts_of
from keras_ssp.energy.formulas import EnergyModel
from keras_ssp.energy.rows import LayerReport, columns_of
from keras_ssp.tables import Table, format_energy, format_share
from keras_ssp.types import Axes, Config, Figure, StrPath

# What a terminal that is too narrow for the narrow table does without, in this order.
_LEFT_OUT = ("share", "of penalty", "flags", "rate")


class ReportViews:
    """The part of `EnergyReport` that shows it and writes it."""

    model_name: str
    energy_model: EnergyModel
    layers: tuple[LayerReport, ...]

    @property
    def rate(self) -> float:
        """Spikes per neuron and step."""
        raise NotImplementedError

    @property
    def energy_pj(self) -> float:
        """Energy of the network, in pJ."""
        raise NotImplementedError

    def to_dict(self) -> Config:
        """The report as plain JSON types."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return (
            f"<EnergyReport of {self.model_name!r}: {format_energy(self.energy_pj)} "
            f"per sample, rate {format_share(self.rate)}, {len(self.layers)} rows, "
            f"{self.energy_model.name}>"
        )

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return pages.cell(self)

    def text(
        self,
        *,
        wide: bool = False,
        columns: Sequence[str] | None = None,
        width: int | None = None,
    ) -> str:
        """The report for a terminal or a log; `print(report)` prints it.

        Args:
            wide: Whether all columns are shown, not only those that most look for.
                Defaults to `False`.
            columns: Names of fields of `LayerReport`, such as `["spikes", "macs"]`,
                that are shown in their place.
            width: Characters a line; where there are too few of them, columns are
                left out. Defaults to the terminal's, or 88 where there is none.
        """
        width = positive_int("width", width, optional=True)
        if width is None:
            width = shutil.get_terminal_size((88, 24)).columns
        if wide or columns is not None:
            return self.table(wide=wide, columns=columns).text(width)
        table = self._table(None, columns_of(self.layers, wide=False))
        return table.narrowed(width, _LEFT_OUT).text(width)

    def table(
        self,
        title: str | None = None,
        *,
        wide: bool = True,
        columns: Sequence[str] | None = None,
    ) -> Table:
        """The report as a table in readable units: a row a layer, totals, facts.

        Args:
            title: The line above. Defaults to one with the name of the model.
            wide, columns: As for `text`; all columns by default.

        Returns:
            A `keras_ssp.tables.Table`, which writes text, Markdown, CSV or HTML.

        Raises:
            ValueError: If one of `columns` is unknown.
        """
        shown_columns = columns_of(self.layers, columns, wide=boolean("wide", wide))
        return self._table(title, shown_columns)

    def _table(self, title: str | None, columns: Sequence[ReportColumn]) -> Table:
        totals = [column.total_cell(self, self.layers) for column in columns]
        return Table(
            columns,
            [[column.cell(row) for column in columns] for row in self.layers],
            total=["total", *totals[1:]],
            title=title or f"Energy of {self.model_name!r}, per sample",
            facts=facts_of(self),
        )

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

    def to_html(self, path: StrPath | None = None) -> str:
        """Returns the report as a page that needs no other file, and writes it."""
        return _write(pages.page(self), path)

    def to_dataframe(self) -> Any:
        """The rows as a `pandas.DataFrame`, in plain units, indexed by layer.

        Raises:
            ImportError: If pandas is not installed.
        """
        rows = [row.to_dict() for row in self.layers]
        frame = require("pandas", extra="pandas").DataFrame(rows)
        return frame.set_index("name") if rows else frame

    def to_csv(self, path: StrPath | None = None) -> str:
        """Returns the rows as CSV in plain units, and writes them if given a path."""
        rows = [row.to_dict() for row in self.layers]
        if not rows:
            return _write("", path)
        table = Table(list(rows[0]), [list(row.values()) for row in rows])
        return _write(table.csv(), path)

    def plot(
        self,
        path: StrPath | None = None,
        *,
        ax: Axes | None = None,
        kind: str = "share",
        log: bool = False,
    ) -> Figure:
        """Draws a bar for each layer.

        With a penalty, `kind="share"` draws only spiking layers, and their parts are of
        the spiking layers' energy: an analogue stem has energy but nothing to penalise,
        and would hide that energy and penalty are proportional.

        Args:
            path: Image file to write. Defaults to none.
            ax: Axes of matplotlib to draw into. Defaults to those of a new figure.
            kind: `"share"` (of the energy, and of the penalty if there is one),
                `"energy"` or `"rate"` (spikes per neuron and step).
            log: Whether the axis is logarithmic. Defaults to `False`.

        Returns:
            The `matplotlib.figure.Figure`; a new one is known to no pyplot state.

        Raises:
            ImportError: If matplotlib is not installed.
            ValueError: If `kind` is unknown.
        """
        one_of("kind", kind, pictures.KINDS)
        return pictures.plot(self, path, ax, kind, log=boolean("log", log))


def _write(text: str, path: StrPath | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", newline="")
    return text
