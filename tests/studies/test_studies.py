"""Studies: the grid, nothing done twice, and what is made of the rows."""

import csv
import json

import keras
import pytest

from keras_ssp import SynapticPenalty, penalize, penalties
from keras_ssp.studies import report as comparison
from keras_ssp.studies.grid import Study
from keras_ssp.studies.runner import COLUMNS, RESULTS, append_rows, compare, read_rows
from keras_ssp.studies.series import ratios, savings
from keras_ssp.training.config import TrainConfig
from tests.helpers import images, small_snn

BASE = {"train_samples": 128, "width": 0.25, "time_steps": 2, "epochs": 1}
SERIES = ["synaptic, p = 1", "synaptic, p = 2", "spike count", "balanced"]
GRID = {
    "penalties": ["none", "synaptic", "synops_target", "converted"],
    "seeds": [0],
    "weights": [0.1],
    "target_shares": [0.5],
    "conversion_steps": [2, 4],
}


def study(**grid):
    return Study.from_dict({"train": BASE, "grid": {**GRID, **grid}})


def row(series, weight, seed, accuracy, energy, **more):
    values = dict.fromkeys(COLUMNS, 0.0)
    values |= {"key": f"{series}{weight}{seed}", "series": series, "target": ""}
    values |= {"penalty": series, "weight": weight, "seed": seed, "time_steps": 4}
    values |= {"surrogate": "triangle", "test_accuracy": accuracy}
    return values | {"synaptic_energy_pj": energy, "synops": energy / 0.9, **more}


def test_grid_of_a_study():
    tasks = list(
        study(
            penalties=["none", "synaptic", "spike_count", "balanced"],
            weights={"synaptic": [0.1, 1.0], "spike_count": [2.0]},
            p={"synaptic": [1.0, 2.0]},
            surrogates=["triangle", "arctan"],
            seeds=[0, 1],
        ).others([])
    )
    found = {
        (t.series, t.config.weight, t.config.p, t.config.surrogate, t.config.seed)
        for t in tasks
    }
    expected = {
        (f"synaptic p={p:g} {s}", w, p, s, seed)
        for p in (1.0, 2.0)
        for w in (0.1, 1.0)
        for s in ("triangle", "arctan")
        for seed in (0, 1)
    } | {
        (f"spike_count {s}", 2.0, 1.0, s, seed)
        for s in ("triangle", "arctan")
        for seed in (0, 1)
    }
    assert found == expected and len(tasks) == len(found)
    assert len({t.key for t in tasks}) == len(tasks)
    assert [t.config.seed for t in tasks] == sorted(t.config.seed for t in tasks)


def test_targets_are_shares_of_what_no_penalty_spends():
    rows = [row("none", 0.0, s, 0.9, 90.0, synops=100.0 + s) for s in (0, 1)]
    rows.append(row("converted", 0.0, 0, 0.9, 90.0, penalty="none", synops=9e9))
    grid = study(penalties=["synops_target"], target_shares=[0.5, 0.1], seeds=[0, 1])
    tasks = grid.others(rows)
    assert [t.config.target for t in tasks] == [50.25, 10.05] * 2


def test_key_does_not_hang_on_the_series_name():
    one, two = (
        next(iter(study(penalties=["synaptic"], surrogates=s).others([])))
        for s in (["triangle"], ["triangle", "arctan"])
    )
    assert one.series != two.series and one.key == two.key


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"penalties": ["l1"]}, "`penalties` must be one of.*'l1'"),
        ({"weights": {"l1": [1.0]}}, "`weights` must be one of.*'l1'"),
        ({"weights": [-1.0]}, "`weight` must be a finite number of at least 0"),
        ({"p": [0.5]}, "`p` must be a finite number of at least 1"),
        ({"seeds": []}, "`seeds` must hold at least one seed"),
        ({"surrogates": ["tri"]}, "`surrogate` must be one of.*'tri'"),
        ({"target_shares": [0.0]}, "`target_shares` must be a finite number above 0"),
        ({"conversion_steps": [0]}, "`conversion_steps` must be a positive integer"),
        ({"lambdas": [1.0]}, "Received: lambdas"),
    ],
)
def test_bad_grids_fail_before_any_training(grid, message):
    with pytest.raises(ValueError, match=message):
        study(**grid)


def test_unknown_table_of_a_study_file():
    with pytest.raises(ValueError, match="tables 'train' and 'grid'.*Received: model"):
        Study.from_dict({"model": {}})


def test_study_runs_once_and_goes_on(tmp_path):
    pytest.importorskip("matplotlib")
    first = compare(study(), tmp_path, verbose=0)
    assert [(r["series"], r["time_steps"]) for r in first] == [
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
    assert both[:-1] == first and both[-1]["weight"] == 1.0
    # A torn last line, as a kill leaves it, is done again and nothing else is.
    lines = (tmp_path / RESULTS).read_text().splitlines(keepends=True)
    (tmp_path / RESULTS).write_text("".join(lines[:-1]) + lines[-1][:20])
    again = compare(wider, tmp_path, verbose=0)
    drop = {"seconds"}
    for a, b in zip(both, again, strict=True):
        assert {k: a[k] for k in a if k not in drop} == {
            k: b[k] for k in b if k not in drop
        }
    text = comparison.write(again, tmp_path, title="test")
    assert "| converted | T=4 | 1 |" in text
    for name in ("comparison.md", "comparison.json", "accuracy_energy.png"):
        assert (tmp_path / name).stat().st_size > 100
    shares = json.loads((tmp_path / "comparison.json").read_text())["layer_shares"]
    assert set(shares) >= {"energy", "balanced"}


def test_jobs_side_by_side_give_the_same_rows(tmp_path):
    grid = {"penalties": ["none"], "seeds": [0, 1]}
    alone = compare(study(**grid), tmp_path / "alone", verbose=0)
    pair = compare(study(**grid), tmp_path / "pair", jobs=2, verbose=0)
    assert {r["key"] for r in pair} == {r["key"] for r in alone}
    for a in alone:
        b = next(r for r in pair if r["key"] == a["key"])
        assert b["test_accuracy"] == pytest.approx(a["test_accuracy"], abs=0.05)


def test_one_failing_training_does_not_stop_the_others(tmp_path):
    grid = study(penalties=["none", "synaptic"])
    victim = next(iter(grid.baselines()))
    folder = tmp_path / victim.key
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"seed": 99}')
    with pytest.raises(RuntimeError, match=f"1 trainings failed.*{victim.key}"):
        compare(grid, tmp_path, verbose=0)
    assert [r["series"] for r in read_rows(tmp_path / RESULTS)] == ["synaptic"]


def test_rows_survive_the_file(tmp_path):
    rows = [row("none", 0.0, 3, 0.9, 5.0), row("synaptic", 0.1, 3, 0.8, 1.5)]
    append_rows(tmp_path / RESULTS, rows[:1])
    append_rows(tmp_path / RESULTS, rows[1:])
    assert read_rows(tmp_path / RESULTS) == rows
    with open(tmp_path / RESULTS) as file:
        assert len(list(csv.reader(file))) == 3
    assert read_rows(tmp_path / "missing.csv") == []


def test_savings_are_interpolated_per_seed():
    rows = []
    for seed, scale in ((0, 1.0), (1, 2.0)):
        rows.append(row("none", 0.0, seed, 0.90, 1000.0 * scale))
        rows.append(row("synaptic", 1.0, seed, 0.90, 100.0 * scale))
        rows.append(row("synaptic", 9.0, seed, 0.88, 10.0 * scale))
        rows.append(row("converted", 0.0, seed, 0.5, 1.0, penalty="none"))
    found = savings(rows, drop=0.01)
    assert set(found) == {"synaptic", "converted"}
    # Half way between 10 and 100 in the logarithm.
    assert found["synaptic"].factors == pytest.approx((1000 / 10**1.5,) * 2)
    assert str(found["converted"]) == "not reached"
    # At the full accuracy the network without penalty itself is in the curve.
    worse = [r for r in rows if r["weight"] != 1.0]
    assert savings(worse, 0.0)["synaptic"].factors == pytest.approx((1, 1))


def test_savings_need_a_baseline():
    with pytest.raises(ValueError, match="networks without penalty. Received: 1 rows"):
        savings([row("synaptic", 1.0, 0, 0.9, 1.0)], 0.01)


def test_ratios_to_the_synaptic_penalty_are_seed_by_seed():
    rows = []
    for seed, scale, dearer in ((0, 1.0, 1.5), (1, 7.0, 2.0)):
        rows.append(row("none", 0.0, seed, 0.90, 1000.0 * scale))
        for series, energy in (("synaptic", 1.0), ("balanced", dearer)):
            for weight, accuracy in ((1.0, 0.895), (2.0, 0.87)):
                more = {"p": 1.0}
                cost = energy * scale * 100 / weight
                rows.append(row(series, weight, seed, accuracy, cost, **more))
        rows.append(row("converted", 0.0, seed, 0.5, 1.0, penalty="none", p=1.0))
    found = ratios(rows, drop=0.01)
    assert set(found) == {"balanced", "converted"}
    # What a seed's networks cost as a whole cancels.
    assert found["balanced"].factors == pytest.approx((1.5, 2.0))
    assert str(found["balanced"]) == "1.73 ± 0.35"
    assert str(found["converted"]) == "not both reached"
    # Where even the cheapest is accurate enough, nothing is known of the ratio.
    assert ratios(rows, drop=0.05)["balanced"].factors == ()
    assert ratios([r for r in rows if r["series"] != "synaptic"], 0.01) == {}
    # Series of another surrogate have the synaptic one of theirs, or none.
    other = [
        r | {"surrogate": "arctan", "series": f"{r['series']} arctan"}
        for r in rows
        if r["series"] in ("none", "balanced")
    ]
    assert set(ratios(rows + other, 0.01)) == {"balanced", "converted"}


def test_layer_shares_compare_every_registered_penalty(monkeypatch):
    entries = penalties.family._PENALTIES
    monkeypatch.setattr(entries, "_entries", dict(entries._entries))

    @penalties.register("last_only")
    class LastOnly(penalties.SpikePenalty):
        def taps(self, site):
            return site.taps if site.name == "lif2" else []

    shares = comparison.layer_shares(small_snn(), images(6))
    assert list(shares) == ["energy", *SERIES, "last only"]
    assert shares["last only"] == {"lif1": 0.0, "lif2": 1.0}


def test_layer_shares_of_the_synaptic_penalty_are_those_of_the_energy():
    model = penalize(small_snn(), SynapticPenalty(0.25))
    shares = comparison.layer_shares(model, images(6))
    assert list(shares["energy"]) == ["lif1", "lif2"]
    for name in ("synaptic, p = 1", "synaptic, p = 2"):
        assert shares[name] == pytest.approx(shares["energy"], rel=1e-6)
    assert shares["spike count"]["lif1"] != pytest.approx(shares["energy"]["lif1"])
    assert all(sum(found.values()) == pytest.approx(1) for found in shares.values())
    # The model's own penalty is back.
    lif = model.get_layer("lif1")
    assert lif.penalty.weight == 0.25
    assert float(keras.ops.convert_to_numpy(lif.penalty_weight)) == 0.25


def test_config_of_a_study_survives_json():
    first = study(p={"synaptic": [1.0, 2.0]})
    again = Study.from_dict(json.loads(json.dumps(first.to_dict())))
    assert json.dumps(again.to_dict()) == json.dumps(first.to_dict())
    assert again.base == first.base == TrainConfig.from_dict(first.to_dict()["train"])
