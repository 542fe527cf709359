"""The columns of the energy report: how the fields of a row are shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from keras_ssp.tables import Column, format_count
from keras_ssp.types import Config


@dataclass(frozen=True, kw_only=True)
class ReportColumn(Column):
    """How a field of a row is shown, and under which name files hold it.

    Args:
        text: Formats a value of the field.
        total: Whether the total row shows the report's value of the same name, or the
            sum of the rows' where the report has none. Defaults to `False`.
        dash: Whether analogue rows show a dash. Defaults to `False`.
        optional: Whether the column shows only where a row has a value.
        before: The field whose column comes next in the table. Defaults to the
            next field.
        key: Name in JSON and CSV. Defaults to the field's.
        wide: Whether only the wide table has the column. Defaults to `False`.
    """

    text: Callable[..., str] = format_count
    total: bool = False
    dash: bool = False
    optional: bool = False
    before: str = ""
    key: str = ""
    name: str = ""
    wide: bool = False

    def shown(self, rows: Iterable[Any]) -> bool:
        """Whether the table of these rows has the column."""
        values = [getattr(row, self.name) for row in rows]
        return not self.optional or any(v is not None and v != () for v in values)

    def cell(self, row: Any) -> str:
        """The field of one row, as text."""
        value = getattr(row, self.name)
        none = value is None or (self.dash and not row.spiking)
        return "-" if none else self.text(value)

    def total_cell(self, report: object, rows: Iterable[Any]) -> str:
        """What the total row says."""
        if not self.total:
            return ""
        total = getattr(report, self.name, None)
        if total is None:
            total = math.fsum(getattr(row, self.name) or 0.0 for row in rows)
        return self.text(total)


def shown_as(header: str, text: Callable[..., str], **how: Any) -> Config:
    """The metadata of a field that is a column; `how` as for `ReportColumn`."""
    return {"column": ReportColumn(header=header, text=text, **how)}
