"""Tables: one of rows of text or numbers, written as text, Markdown, CSV or HTML.

Every table of the package is a `Table`; so are numbers with a unit that fits them,
`format_energy` and `format_count`.
"""

from __future__ import annotations

import csv
import html
import io
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rich import table as rich_table
    from rich.box import Box

#: What a cell may hold: text as it is shown, or a plain value, as CSV writes it.
Cell: TypeAlias = object

_ENERGY_UNITS = ("pJ", "nJ", "uJ", "mJ", "J")
_COUNT_UNITS = ("", "k", "M", "G", "T")
_KEY_WIDTH = 12  # characters that a column of words keeps
_TEXT_WIDTH = 88  # of what follows a table, where the table is not wider


def format_energy(pj: float) -> str:
    """Formats an energy given in pJ with four digits and a fitting unit.

    Example:

    >>> format_energy(0.5), format_energy(1234.5), format_energy(4.6e6)
    ('0.5 pJ', '1.234 nJ', '4.6 uJ')
    """
    return _scaled(pj, _ENERGY_UNITS)


def energy_unit(pj: float) -> tuple[float, str]:
    """The unit in which `format_energy` writes an energy, and its size in pJ.

    Example:

    >>> energy_unit(0.5), energy_unit(4.6e6)
    ((1.0, 'pJ'), (1000000.0, 'uJ'))
    """
    unit = format_energy(pj).rpartition(" ")[2]
    return 1000.0 ** _ENERGY_UNITS.index(unit), unit


def format_count(count: float) -> str:
    """Formats a count with four digits and k, M, G or T.

    Example:

    >>> format_count(27), format_count(12_345), format_count(2.5e6)
    ('27', '12.35 k', '2.5 M')
    """
    return _scaled(count, _COUNT_UNITS)


def format_share(share: float) -> str:
    """Formats a share of 1 as a percentage.

    Example:

    >>> format_share(0.4567)
    '45.7 %'
    """
    return f"{100 * share:.1f} %"


def _scaled(value: float, units: Sequence[str]) -> str:
    step = 0
    # 999.95 would print as 1000: the next unit starts where rounding reaches it.
    while abs(value) >= 999.95 and step < len(units) - 1:
        value, step = value / 1000, step + 1
    number = f"{value:.4g}" if abs(value) < 999.95 else f"{value:.0f}"
    return f"{number} {units[step]}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Column:
    """The head of a column.

    Args:
        header: What its first line says.
        left: Whether its cells begin at the left, as words do; numbers end at the
            right. Defaults to `False`.
    """

    header: str
    left: bool = False


class Table:
    """Rows of cells under headers, to be written in any format.

    Args:
        columns: A `Column` each, or just its header; of headers the first is that of
            words, at the left, and all others are those of numbers, at the right.
        rows: The cells of each row.
        total: Cells of a last row, set apart from the others. Defaults to none.
        title: The line above. Defaults to none.
        facts: What follows the table, as (label, sentence). Defaults to none.

    Raises:
        ValueError: If a row has not one cell a column.

    Example:

    >>> table = Table(["layer", "energy"], [["first", "2 nJ"]], total=["all", "2 nJ"])
    >>> print(table)
    +-------+--------+
    | layer | energy |
    +=======+========+
    | first |   2 nJ |
    +-------+--------+
    | all   |   2 nJ |
    +-------+--------+
    >>> print(table.markdown())
    | layer | energy |
    | --- | ---: |
    | first | 2 nJ |
    | **all** | **2 nJ** |
    """

    def __init__(
        self,
        columns: Sequence[Column | str],
        rows: Iterable[Sequence[Cell]],
        *,
        total: Sequence[Cell] | None = None,
        title: str = "",
        facts: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.columns = tuple(
            c if isinstance(c, Column) else Column(header=c, left=k == 0)
            for k, c in enumerate(columns)
        )
        self.rows = tuple(tuple(row) for row in rows)
        self.total = None if total is None else tuple(total)
        self.title = title
        self.facts = tuple(facts)
        for row in (*self.rows, *([] if self.total is None else [self.total])):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"`rows` must have {len(self.columns)} cells each, one a column. "
                    f"Received: a row of {len(row)}, {row!r}."
                )

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """The table for a terminal or a log: plain ASCII, as far as the cells are.

        Args:
            width: Characters in which words are wrapped to fit; numbers are not, so
                that a table of many of them is wider. Defaults to as many as it takes.
        """
        from rich.box import ASCII_DOUBLE_HEAD
        from rich.console import Console
        from rich.measure import Measurement

        grid = self._grid(ASCII_DOUBLE_HEAD)
        # Wide enough for any table: nothing is cut off.
        console = Console(file=io.StringIO(), width=10_000, color_system=None)
        if width is not None:
            least = Measurement.get(console, console.options, grid).minimum
            console.width = max(width, least)
        with console.capture() as capture:
            console.print(grid)
        lines = [line.rstrip() for line in capture.get().splitlines()]
        if width is None:
            width = max(_TEXT_WIDTH, len(lines[0]) if lines else 0)
        labels = max((len(label) for label, _ in self.facts), default=0) + 2
        facts = [_wrapped(label, fact, labels, width) for label, fact in self.facts]
        return "\n".join([*([self.title] if self.title else []), *lines, *facts])

    def narrowed(self, width: int, leave_out: Sequence[str]) -> Table:
        """The table without columns that it can do without, as far as it must.

        Args:
            width: Characters that its lines shall have at most.
            leave_out: Headers, those that are needed least first.

        Returns:
            The table itself where it fits.

        Example:

        >>> table = Table(["layer", "rate", "energy"], [["first", "10 %", "2 nJ"]])
        >>> [column.header for column in table.narrowed(22, ["rate"]).columns]
        ['layer', 'energy']
        """
        found = self
        for header in leave_out:
            bare = Table(found.columns, found.rows, total=found.total)
            if max(map(len, bare.text(width).splitlines()), default=0) <= width:
                break
            found = found._without(header)
        return found

    def _without(self, header: str) -> Table:
        kept = [k for k, column in enumerate(self.columns) if column.header != header]
        return Table(
            [self.columns[k] for k in kept],
            [[row[k] for k in kept] for row in self.rows],
            total=None if self.total is None else [self.total[k] for k in kept],
            title=self.title,
            facts=self.facts,
        )

    def rich(self) -> rich_table.Table:
        """The table for `rich.console.Console.print`; title and cells only."""
        from rich.box import HEAVY_HEAD

        grid = self._grid(HEAVY_HEAD)
        if self.title:
            grid.title, grid.title_justify = self.title, "left"
        return grid

    def _grid(self, box: Box) -> rich_table.Table:
        from rich.table import Table as Grid
        from rich.text import Text

        # `Text`, so that a layer named "[b]" is not taken for markup.
        grid = Grid(box=box, show_footer=self.total is not None)
        for k, column in enumerate(self.columns):
            last = "" if self.total is None else str(self.total[k])
            cells = [column.header, last, *(str(row[k]) for row in self.rows)]
            # Numbers are never cut off, and of words enough is left to tell rows apart.
            longest = max(map(len, cells))
            least = min(longest, _KEY_WIDTH) if column.left else longest
            grid.add_column(
                Text(column.header),
                Text(last),
                justify="left" if column.left else "right",
                no_wrap=not column.left,
                min_width=least,
            )
        for row in self.rows:
            grid.add_row(*(Text(str(cell)) for cell in row))
        return grid

    def markdown(self) -> str:
        """The table in Markdown, the facts as a list after it."""
        rule = ["---" if column.left else "---:" for column in self.columns]
        rows = [[_escaped(str(cell)) for cell in row] for row in self.rows]
        if self.total is not None:
            rows.append([f"**{cell}**" if cell else "" for cell in self.total])
        lines = [[column.header for column in self.columns], rule, *rows]
        blocks = [
            self.title,
            "\n".join("| " + " | ".join(cells) + " |" for cells in lines),
            "\n".join(f"- {label}: {_escaped(fact)}" for label, fact in self.facts),
        ]
        return "\n\n".join(block for block in blocks if block)

    def csv(self) -> str:
        """Headers and rows as CSV, numbers in full; lists are joined by `; `."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([column.header for column in self.columns])
        for row in self.rows:
            writer.writerow(
                ["; ".join(c) if isinstance(c, list | tuple) else c for c in row]
            )
        return stream.getvalue()

    def html(self) -> str:
        """The table as an HTML `<table>`, the facts as a `<dl>` after it."""
        lines = ["<table>"]
        if self.title:
            lines.append(f"<caption>{html.escape(self.title)}</caption>")
        headers = [column.header for column in self.columns]
        lines.append(f"<thead>{self._html_row(headers, 'th')}</thead>")
        lines += ["<tbody>", *(self._html_row(row, "td") for row in self.rows)]
        lines.append("</tbody>")
        if self.total is not None:
            lines.append(f"<tfoot>{self._html_row(self.total, 'td')}</tfoot>")
        lines.append("</table>")
        if self.facts:
            facts = [
                f"<dt>{html.escape(label)}</dt><dd>{html.escape(fact)}</dd>"
                for label, fact in self.facts
            ]
            lines += ["<dl>", *facts, "</dl>"]
        return "\n".join(lines)

    def _html_row(self, cells: Sequence[Cell], tag: str) -> str:
        parts = []
        for column, cell in zip(self.columns, cells, strict=True):
            style = "" if column.left else ' style="text-align: right"'
            parts.append(f"<{tag}{style}>{html.escape(str(cell))}</{tag}>")
        return f"<tr>{''.join(parts)}</tr>"


def _wrapped(label: str, fact: str, indent: int, width: int) -> str:
    return textwrap.fill(
        fact,
        width,
        initial_indent=f"{label:<{indent}}",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
