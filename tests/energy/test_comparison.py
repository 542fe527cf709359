"""Reports side by side: every layer's energy, what changed, names."""

import math
from dataclasses import replace

import pytest

from keras_ssp import compare_reports
from keras_ssp.energy import EnergyReport, LayerReport


def report(name="net", model="cmos45", **energies):
    rows = [
        LayerReport(name=k, kind="lif", neurons=10, time_steps=2, energy_pj=v)
        for k, v in energies.items()
    ]
    return EnergyReport(
        model_name=name, energy_model=model, samples=4, time_steps=2, layers=tuple(rows)
    )


BEFORE = report("before", a=1000.0, b=3000.0, gone=0.0)
AFTER = report("after", a=500.0, b=3000.0, new=500.0)


def cells(comparison):
    table = comparison.table()
    return [column.header for column in table.columns], [*table.rows, table.total]


def test_every_layer_of_each_report_and_the_change():
    headers, rows = cells(compare_reports(BEFORE, AFTER))
    assert headers == ["layer", "before", "after", "change"]
    assert rows == [
        ("a", "1 nJ", "500 pJ", "-50.0 %"),
        ("b", "3 nJ", "3 nJ", "+0.0 %"),
        ("gone", "0 pJ", "-", "-"),
        ("new", "-", "500 pJ", "-"),
        ("total", "4 nJ", "4 nJ", "+0.0 %"),
    ]


def test_difference_of_two_reports():
    found = AFTER - BEFORE
    assert found == compare_reports(BEFORE, AFTER)
    cheaper = report(a=100.0) - report(a=400.0)
    assert (cheaper.difference_pj, cheaper.ratio) == (-300.0, 0.25)
    assert (report(a=1.0) - report(a=0.0)).ratio == math.inf
    assert (report(a=0.0) - report(a=0.0)).ratio == 1.0
    with pytest.raises(TypeError):
        BEFORE - 3


def test_changes_of_three_are_from_the_first():
    third = report("third", a=2000.0)
    headers, rows = cells(compare_reports(BEFORE, AFTER, third))
    assert headers == ["layer", "before", "after", "change", "third", "change"]
    assert rows[0] == ("a", "1 nJ", "500 pJ", "-50.0 %", "2 nJ", "+100.0 %")


def test_names():
    assert compare_reports(BEFORE, BEFORE).names == ("before", "before (2)")
    prices = compare_reports(BEFORE, replace(BEFORE, energy_model="loihi"))
    assert prices.names == ("before, cmos45", "before, loihi")
    assert compare_reports(BEFORE, AFTER, names=["x", "y"]).names == ("x", "y")
    assert repr(compare_reports(BEFORE, AFTER)) == (
        "ReportComparison(before: 4 nJ, after: 4 nJ)"
    )


@pytest.mark.parametrize("names", [["x"], ["x", "x"], "xy", 3])
def test_wrong_names(names):
    with pytest.raises(ValueError, match="`names` must be 2 names, one a report"):
        compare_reports(BEFORE, AFTER, names=names)


def test_wrong_reports():
    with pytest.raises(ValueError, match="`reports` must be two or more"):
        compare_reports(BEFORE)
    with pytest.raises(ValueError, match="`reports` must be EnergyReports"):
        compare_reports(BEFORE, "after")


def test_text_and_page_say_what_was_compared():
    found = compare_reports(BEFORE, AFTER)
    said = "before 4 nJ per sample, rate 0.0 %, T = 2, cmos45, mean of 4 samples"
    assert said in " ".join(str(found).split())
    assert "<td>gone</td>" in found._repr_html_()


def test_picture_has_every_layer_of_every_report(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "both.png"
    (axes,) = compare_reports(BEFORE, AFTER).plot(path).axes
    widths = [[bar.get_width() for bar in bars] for bars in axes.containers]
    assert widths == [[1.0, 3.0, 0.0, 0.0], [0.5, 3.0, 0.0, 0.5]]
    assert axes.get_xlabel() == "energy per sample (nJ)"
    said = [text.get_text() for text in axes.texts]
    assert said.count("no such layer") == 2
    assert path.read_bytes().startswith(b"\x89PNG")
