"""The picture of a search shows every trial, and says what it moves to an edge."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from keras_ssp import figures  # noqa: E402

POINTS = [
    {"cost": 1e3, "quality": 90.0, "front": True, "quality_std": 0.5},
    {"cost": 4e3, "quality": 95.0, "front": True, "knee": True, "label": "07"},
    {"cost": 9e3, "quality": 96.0, "front": True, "cost_std": 100.0},
    {"cost": 9e3, "quality": 94.0},
]


def drawn(axis):
    """Label to the points of a series of dots."""
    return {bars.get_label(): bars.lines[0].get_xydata() for bars in axis.containers}


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_front_dominated_and_knee():
    (axis,) = figures.frontier(POINTS, title="t").axes
    np.testing.assert_array_equal(
        drawn(axis)["frontier"], [[1e3, 90], [4e3, 95], [9e3, 96]]
    )
    np.testing.assert_array_equal(drawn(axis)["dominated"], [[9e3, 94]])
    assert legend(axis) == ["frontier", "dominated", "knee: 4 nJ"]
    assert axis.get_xscale() == "log" and axis.get_title("left") == "t"
    assert [text.get_text() for text in axis.texts] == ["07"]
    spread = [c for bars in axis.containers for c in bars.lines[2]]
    lengths = [np.ptp(s, axis=0) for c in spread for s in c.get_segments()]
    assert np.max(lengths, axis=0) == pytest.approx([200.0, 1.0])


def test_edges_hold_what_has_no_place_and_the_legend_counts_it():
    silent = {"cost": 0.0, "quality": 10.0, "front": True}
    guessing = {"cost": 2e3, "quality": 12.0}
    figure = figures.frontier([*POINTS, silent, guessing], worst=85.0, failed=2)
    (axis,) = figure.axes
    left, bottom = axis.get_xlim()[0], axis.get_ylim()[0]
    assert 0 < left < 1e3 and 85 < bottom < 90
    assert [left, bottom] in drawn(axis)["frontier"].tolist()
    assert [2e3, bottom] in drawn(axis)["dominated"].tolist()
    assert legend(axis)[3:] == [
        "at the left edge: 1 of 0 pJ",
        "at the lower edge: 2 below 89.5",
        "failed, not drawn: 2",
    ]
    # The line joins what is where it is drawn.
    (line,) = [line for line in axis.get_lines() if len(line.get_xdata()) == 3][:1]
    assert min(line.get_ydata()) == 90


def test_nothing_to_draw_and_nothing_but_silence():
    (axis,) = figures.frontier([], failed=3).axes
    assert legend(axis) == ["failed, not drawn: 3"]
    (axis,) = figures.frontier([{"cost": 0.0, "quality": 10.0}], worst=85.0).axes
    assert drawn(axis)["dominated"].tolist() == [[0, 10]]
    assert np.isfinite(axis.get_xlim()).all()


def test_png_and_svg(tmp_path):
    for name, start in (("f.png", b"\x89PNG"), ("f.svg", b"<?xml")):
        figures.frontier(POINTS, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
