"""The files that a search ends with."""

import csv
import json
import sys

import pytest

from keras_ssp.tuner.results import read_search
from tests.tuning.helpers import write_search
from tuning.files import write_files


def test_all_files(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("plotly")
    results = read_search(write_search(tmp_path, 12, seeds=2, silent=True))
    lines = write_files(results, tmp_path)
    assert lines == [
        f"written to {tmp_path}: trials.csv, front.json",
        "picture: frontier.png, frontier.svg",
        "page: index.html",
    ]
    rows = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert len(rows) == 12 and rows[0]["hp/surrogate"] == "triangle"
    front = json.loads((tmp_path / "front.json").read_text())
    assert [t["trial"] for t in front["front"]] == [t.trial for t in results.front]
    assert (tmp_path / "frontier.png").stat().st_size < 200_000
    text = (tmp_path / "frontier.svg").read_text()
    assert "<svg" in text
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<title>digits: accuracy against synaptic energy</title>" in page


@pytest.mark.parametrize(
    "package, line",
    [
        (
            "plotly",
            "no page: plotly is needed for pages of searches; pip install "
            '"keras-ssp[pages]"',
        ),
        (
            "matplotlib",
            "no picture: matplotlib is needed for plots; pip install "
            '"keras-ssp[plots]"',
        ),
    ],
)
def test_what_is_missing_is_said(tmp_path, monkeypatch, package, line):
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    results = read_search(write_search(tmp_path))
    assert line in write_files(results, tmp_path)
    assert (tmp_path / "front.json").is_file()


def test_a_search_without_any_trial(tmp_path):
    pytest.importorskip("matplotlib")
    results = read_search(write_search(tmp_path, 0))
    assert len(write_files(results, tmp_path)) == 3
