"""Tables in every format, and numbers with a unit that fits."""

import csv
import io
from html.parser import HTMLParser

import pytest
from rich.console import Console

from keras_ssp.tables import Column, Table, format_count, format_energy


def table(**more):
    return Table(
        ["layer", "energy", Column(header="remark", left=True)],
        [["a|b", "2 nJ", "[b]"], ["<c>", "300 pJ", "two\nlines"]],
        **more,
    )


FACTS = [("note", "x | y"), ("method", "counted")]


def test_text():
    text = str(
        Table(
            ["layer", "energy", Column(header="remark", left=True)],
            [["[red]a[/red]", "2 nJ", ":smile:"], ["b", "300 pJ", ""]],
            total=["total", "2.3 nJ", ""],
            title="Energy",
            facts=FACTS,
        )
    )
    assert (
        text
        == """\
Energy
+--------------+--------+---------+
| layer        | energy | remark  |
+==============+========+=========+
| [red]a[/red] |   2 nJ | :smile: |
| b            | 300 pJ |         |
+--------------+--------+---------+
| total        | 2.3 nJ |         |
+--------------+--------+---------+
note    x | y
method  counted"""
    )


def test_markdown():
    assert (
        table(total=["total", "2.3 nJ", ""], title="Energy", facts=FACTS).markdown()
        == """\
Energy

| layer | energy | remark |
| --- | ---: | --- |
| a\\|b | 2 nJ | [b] |
| <c> | 300 pJ | two lines |
| **total** | **2.3 nJ** |  |

- note: x \\| y
- method: counted"""
    )
    assert table().markdown().startswith("| layer |")


def test_csv_has_headers_and_rows_with_numbers_in_full():
    text = Table(
        ["name", "pj", "notes", "penalty"],
        [['q"u,ote', 1 / 3, ["a", "b"], None], ["b", 2.0, [], 1]],
        total=["total", 0, "", ""],
        title="left out",
    ).csv()
    assert text.splitlines()[0] == "name,pj,notes,penalty"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows] == ['q"u,ote', "b"]
    assert float(rows[0]["pj"]) == 1 / 3
    assert (rows[0]["notes"], rows[0]["penalty"]) == ("a; b", "")


class Cells(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words += [data] if data.strip() else []


def test_html_is_escaped():
    text = table(total=["all", "1 J", ""], title="a & b", facts=FACTS).html()
    assert "<c>" not in text and "&lt;c&gt;" in text
    found = Cells(text)
    assert found.tags.count("tr") == 4 and found.tags.count("td") == 9
    assert found.words[:4] == ["a & b", "layer", "energy", "remark"]
    assert found.words[-4:] == ["note", "x | y", "method", "counted"]
    assert "<td>[b]</td>" in text and '<td style="text-align: right">2 nJ</td>' in text


def test_rich_is_printed_on_a_console():
    console = Console(file=io.StringIO(), width=60)
    console.print(table(title="Energy").rich())
    lines = console.file.getvalue().splitlines()
    assert lines[0].strip() == "Energy" and "[b]" in "".join(lines)


def test_every_row_has_one_cell_a_column():
    with pytest.raises(ValueError, match="must have 2 cells each.*a row of 1"):
        Table(["a", "b"], [["1", "2"], ["3"]])
    with pytest.raises(ValueError, match="must have 1 cells each.*a row of 2"):
        Table(["a"], [], total=["x", "y"])


@pytest.mark.parametrize(
    ("pj", "text"),
    [
        (0, "0 pJ"),
        (0.5, "0.5 pJ"),
        (999.94, "999.9 pJ"),
        (999.96, "1 nJ"),
        (1234.5, "1.234 nJ"),
        (4.6e6, "4.6 uJ"),
        (2e9, "2 mJ"),
        (3e12, "3 J"),
        (5e16, "50000 J"),
    ],
)
def test_format_energy(pj, text):
    assert format_energy(pj) == text


def test_format_count():
    counts = (0, 27, 12_345, 1e10)
    assert [format_count(c) for c in counts] == ["0", "27", "12.35 k", "10 G"]


@pytest.mark.parametrize("width", [20, 30, 40, 60, 90])
def test_narrow_tables_keep_the_columns_that_are_needed_most(width):
    headers = ["setting", "accuracy (%)", "SynOps", "energy", "rate"]
    rows = [["no penalty", "98.89 ± 0.49", "224.9 k", "202.4 nJ", "23.0 %"]] * 2
    table = Table(headers, rows, total=["all", "", "", "1 nJ", ""], title="A title")
    found = table.narrowed(width, ["SynOps", "rate", "nothing"])
    kept = [column.header for column in found.columns]
    widest = max(map(len, found.text().splitlines()[1:]))
    assert {"setting", "accuracy (%)", "energy"} <= set(kept)
    if widest > width:
        assert kept == ["setting", "accuracy (%)", "energy"]
    elif width < 60:  # with one more it would not have fitted
        assert len(kept) < 5
    assert found.title == "A title" and found.total[0] == "all"
    assert "no penalty" in found.text()
    if width == 90:
        assert found is table
