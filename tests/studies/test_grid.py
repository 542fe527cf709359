"""The grid of a study: which trainings it holds, and what it refuses."""

import json
import pathlib

import pytest

from keras_ssp._config_file import read_config
from keras_ssp.studies.grid import Study, Task
from keras_ssp.studies.results import read_results
from keras_ssp.training.config import TrainConfig
from tests.studies.helpers import row, study

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "results"


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
        ({"surrogates": ["tri"]}, "`surrogates` must be one of.*'tri'"),
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


def test_config_of_a_study_survives_json():
    first = study(p={"synaptic": [1.0, 2.0]})
    again = Study.from_dict(json.loads(json.dumps(first.to_dict())))
    assert json.dumps(again.to_dict()) == json.dumps(first.to_dict())
    assert again.base == first.base == TrainConfig.from_dict(first.to_dict()["train"])


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({}, "44136fa355b3"),
        (
            {"penalty": "synaptic", "weight": 0.3, "p": 2.0, "seed": 1}
            | {"data": "fashion_mnist", "width": 0.5},
            "f05a188e4bb6",
        ),
        ({"penalty": "none", "activation": "qcfs", "beta": 0.9}, "2dcaee7acfc0"),
        (
            {"penalty": "synops_target", "weight": 1.0, "target": 1234.5}
            | {"surrogate": "arctan"},
            "6f8dd081f255",
        ),
    ],
)
def test_key_of_a_task_never_changes(values, key):
    assert Task("any", TrainConfig(**values)).key == key


@pytest.mark.parametrize("name", ["cifar10_study", "fashion_mnist_study"])
def test_committed_studies_are_finished(name):
    results = read_results(DOCS / f"{name}.csv")
    grid = Study.from_dict(read_config(DOCS / f"{name}.toml"))
    tasks = [*grid.baselines(), *grid.others(results)]
    assert len(tasks) > 30 and all(task.done(results) for task in tasks)


def test_study_of_an_ann():
    base = TrainConfig(activation="relu", penalty="none")
    with pytest.raises(ValueError, match="`base` must have spiking.*'relu'"):
        Study(base=base)
    grid = Study(base=base, penalties=("converted",), seeds=(0,))
    tasks = [*grid.baselines(), *grid.others([])]
    assert [task.config.activation for task in tasks] == ["lif", "qcfs"]


def test_penalty_without_an_exponent_or_a_normalisation_gets_none():
    base = TrainConfig(penalty="none", normalize=False)
    grid = Study(base=base, penalties=("synaptic", "synops_target"), seeds=(0,))
    tasks = [t.config for t in grid.others([row("none", 0.0, 0, 0.9, 90.0)])]
    assert {(t.penalty, t.normalize) for t in tasks} == {
        ("synaptic", False),
        ("synops_target", True),
    }
