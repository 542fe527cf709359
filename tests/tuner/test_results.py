"""The frontier that trials make, and what can be picked from it."""

import csv
import io
import json
import pathlib

import pytest

from keras_ssp.tuner import Objective, SearchResults, TrialRecord

OBJECTIVES = (
    Objective("val_accuracy", reference=0.5),
    Objective("val_synaptic_energy_pj", reference=1e5),
)


def trial(k, accuracy, energy, **kwargs):
    metrics = {"val_accuracy": accuracy, "val_synaptic_energy_pj": energy}
    fields = {"status": "completed", "values": {"weight": 0.1 * k}, "metrics": metrics}
    return TrialRecord(trial=f"{k:02d}", **{**fields, **kwargs})


def results(trials, **kwargs):
    fields = {"objectives": OBJECTIVES, "reference": (0.5, 1e5), "name": "mine"}
    return SearchResults(trials=tuple(trials), **{**fields, **kwargs})


FOUND = results(
    [
        trial(0, 0.98, 80_000.0),
        trial(1, 0.10, 0.0, notes=("silent: lif",)),
        trial(2, 0.97, 10_000.0),
        trial(3, 0.90, 9_000.0),
        trial(4, 0.60, 1_000.0),
        trial(5, 0.95, 20_000.0),
        trial(6, 0.0, 0.0, status="failed", metrics={}, error="OSError: no"),
        trial(7, 0.0, 0.0, status="running", metrics={}),
    ]
)


def test_the_front_rises_in_energy():
    assert [t.trial for t in FOUND.front] == ["01", "04", "03", "02", "00"]
    assert [t.trial for t in FOUND.completed] == ["00", "01", "02", "03", "04", "05"]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("knee", "02"),
        ("best", "00"),
        ("within=0", "00"),
        ("within=1.0", "02"),
        ("within=10", "03"),
        ("budget=50nJ", "02"),
        ("budget=9500 pJ", "03"),
        ("budget=1 uJ", "00"),
        ("budget=1pJ", "01"),
        ("3", "03"),
        ("05", "05"),
    ],
)
def test_picks(which, expected):
    assert FOUND.pick(which).trial == expected


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("knees", "`which` must be 'knee'"),
        ("06", "`which` must be 'knee'"),
        ("within=", "`which` must be 'knee'"),
        ("within=-1", "`within` must be"),
        ("within=much", "`within` must be"),
        ("budget=50", "`budget` must be an energy"),
    ],
)
def test_picks_that_cannot_be(which, message):
    with pytest.raises(ValueError, match=message):
        FOUND.pick(which)


def test_a_budget_below_every_network_names_the_cheapest():
    few = results([trial(0, 0.9, 2_000.0), trial(1, 0.95, 3_000.0)])
    with pytest.raises(ValueError, match=r"`budget` must be at least.*2 nJ.*'1 nJ'"):
        few.pick("budget=1 nJ")


def test_a_budget_is_one_of_energy_whatever_the_objectives():
    metrics = {"val_accuracy": 0.9, "val_synops": 5.0, "val_synaptic_energy_pj": 4.5}
    found = results(
        [trial(0, 0, 0, metrics=metrics)],
        objectives=(OBJECTIVES[0], Objective("val_synops")),
    )
    assert found.pick("budget=5 pJ").trial == "00"
    with pytest.raises(ValueError, match="0.0045 nJ"):
        found.pick("budget=4 pJ")


def test_a_loss_may_stand_for_the_accuracy():
    """Both are to be minimised then: the first is the quality, the other the cost."""
    found = results(
        [
            trial(int(t.trial), 0, 0, metrics={**t.metrics, "val_loss": 1 - accuracy})
            for t in FOUND.completed
            for accuracy in [t.metrics["val_accuracy"]]
        ],
        objectives=(Objective("val_loss", reference=0.5), OBJECTIVES[1]),
    )
    assert found.quality.name == "val_loss"
    assert found.cost.name == "val_synaptic_energy_pj"
    assert [t.trial for t in found.front] == [t.trial for t in FOUND.front]
    for which in ("knee", "best", "within=1.0", "within=10", "budget=50nJ"):
        assert found.pick(which).trial == FOUND.pick(which).trial


def test_nothing_can_be_picked_from_nothing():
    with pytest.raises(ValueError, match="none of 1 is completed"):
        results([trial(0, 0, 0, status="running")]).pick("knee")


def test_the_csv_has_every_trial_and_every_column():
    rows = list(csv.DictReader(io.StringIO(FOUND.csv())))
    assert [row["trial"] for row in rows] == [f"{k:02d}" for k in range(8)]
    assert rows[2]["on_front"] == "1" and rows[5]["on_front"] == "0"
    assert float(rows[0]["val_synaptic_energy_pj"]) == 80_000.0
    assert float(rows[3]["hp/weight"]) == pytest.approx(0.3)
    assert rows[6]["error"] == "OSError: no" and rows[6]["val_accuracy"] == ""
    assert rows[1]["notes"] == "silent: lif"


def test_front_json_tells_the_search():
    found = json.loads(json.dumps(FOUND.to_dict(), allow_nan=False))
    assert found["knee"] == "02"
    assert [t["trial"] for t in found["front"]] == ["01", "04", "03", "02", "00"]
    assert found["trials"] == {"completed": 6, "failed": 1, "running": 1}
    assert found["hypervolume"] == found["hypervolume_history"][-1]
    assert [o["reference"] for o in found["objectives"]] == [0.5, 1e5]


def test_a_search_that_has_only_begun():
    begun = results([trial(0, 0, 0, status="running", metrics={})], reference=None)
    found = json.loads(json.dumps(begun.to_dict(), allow_nan=False))
    assert found["front"] == [] and found["knee"] is None
    assert found["hypervolume"] is None
    assert begun.csv().count("\n") == 2


def test_a_record_is_restored():
    record = trial(1, 0.5, 2.0, seeds=(1, 2), notes=("a",), seconds=1.5)
    values = json.loads(json.dumps(record.to_dict()))
    assert TrialRecord.from_dict(values, pathlib.Path()) == record
    later = {**values, "added_later": 1}
    assert TrialRecord.from_dict(later, pathlib.Path()) == record


def test_a_record_in_one_line():
    line = trial(1, 0.5, 2.0, seconds=1.5).line(
        ["val_accuracy", "val_synaptic_energy_pj"]
    )
    assert line == (
        "Trial 01 completed (1.5 s): val_accuracy 0.5, val_synaptic_energy_pj 2 pJ "
        "[weight=0.1]"
    )
    failed = trial(2, 0, 0, status="failed", error="OSError: no", values={"p": 1})
    assert failed.line(["val_accuracy"]) == "Trial 02 failed: OSError: no [p=1]"
