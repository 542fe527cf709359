"""Running a study: nothing is done twice, and rows survive the file."""

import csv
import dataclasses
import json

import pytest

from keras_ssp.studies import report as comparison
from keras_ssp.studies.results import RESULTS, add_results, read_results
from keras_ssp.studies.runner import compare
from tests.studies.helpers import row, study


def test_study_runs_once_and_goes_on(tmp_path):
    pytest.importorskip("matplotlib")
    first = compare(study(), tmp_path, verbose=0)
    assert [(r.series, r.time_steps) for r in first] == [
        ("none", 2),
        ("synaptic", 2),
        ("synops_target", 2),
        ("converted", 2),
        ("converted", 4),
    ]
    before = (tmp_path / RESULTS).read_text()
    wider = study(weights=[0.1, 1.0])
    both = compare(wider, tmp_path, verbose=0)
    assert (tmp_path / RESULTS).read_text().startswith(before)
    assert both[:-1] == first and both[-1].weight == 1.0
    # A torn last line, as a kill leaves it, is done again and nothing else is.
    lines = (tmp_path / RESULTS).read_text().splitlines(keepends=True)
    (tmp_path / RESULTS).write_text("".join(lines[:-1]) + lines[-1][:20])
    again = compare(wider, tmp_path, verbose=0)
    for a, b in zip(both, again, strict=True):
        assert dataclasses.replace(a, seconds=b.seconds) == b
    text = comparison.write(again, tmp_path, title="test")
    assert "| converted | T=4 | 1 |" in text
    for name in ("comparison.md", "comparison.json", "accuracy_energy.png"):
        assert (tmp_path / name).stat().st_size > 100
    shares = json.loads((tmp_path / "comparison.json").read_text())["layer_shares"]
    assert set(shares) >= {"energy", "balanced"}


@pytest.mark.slow
def test_jobs_side_by_side_give_the_same_rows(tmp_path):
    grid = {"penalties": ["none"], "seeds": [0, 1]}
    alone = compare(study(**grid), tmp_path / "alone", verbose=0)
    pair = compare(study(**grid), tmp_path / "pair", jobs=2, verbose=0)
    assert {r.key for r in pair} == {r.key for r in alone}
    for a in alone:
        b = next(r for r in pair if r.key == a.key)
        assert b.test_accuracy == pytest.approx(a.test_accuracy, abs=0.05)


def test_one_failing_training_does_not_stop_the_others(tmp_path):
    grid = study(penalties=["none", "synaptic"])
    victim = next(iter(grid.baselines()))
    folder = tmp_path / victim.key
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"seed": 99}')
    with pytest.raises(RuntimeError, match=f"1 trainings failed.*{victim.key}"):
        compare(grid, tmp_path, verbose=0)
    assert [r.series for r in read_results(tmp_path / RESULTS)] == ["synaptic"]


def test_rows_survive_the_file(tmp_path):
    rows = [row("none", 0.0, 3, 0.9, 5.0), row("synaptic", 0.1, 3, 0.8, 1.5)]
    add_results(tmp_path / RESULTS, rows[:1])
    add_results(tmp_path / RESULTS, rows[1:])
    assert read_results(tmp_path / RESULTS) == rows
    with open(tmp_path / RESULTS) as file:
        assert len(list(csv.reader(file))) == 3
    assert read_results(tmp_path / "missing.csv") == []
