"""A `TrainConfig` with ranges as a search space."""

import dataclasses
import json

import keras_tuner
import pytest

from keras_ssp import TrainConfig, datasets, train
from keras_ssp.tuner import ConfigHyperModel, Objective, ParetoTuner, Range, Space

BASE = TrainConfig(epochs=1, width=0.25, train_samples=200, time_steps=2)


def test_a_trial_is_the_training_of_its_config(tmp_path):
    hypermodel = ConfigHyperModel(
        BASE, {"weight": Range(0.1, 10.0, sampling="log"), "p": [1, 2.0]}
    )
    tuner = ParetoTuner(
        hypermodel,
        directory=tmp_path,
        objectives=["val_accuracy", Objective("val_energy_pj", reference=1e6)],
        max_trials=1,
        seed=4,
        sampler="halton",
    )
    tuner.search(verbose=0)
    (trial,) = tuner.results().trials
    assert set(trial.values) == {"weight", "p"}
    run = train(dataclasses.replace(BASE, seed=4, **trial.values), verbose=0)
    assert trial.metrics["val_accuracy"] == pytest.approx(run.validation_accuracy)
    assert trial.metrics["parameters"] == run.model.count_params()
    written = json.loads((trial.folder / "energy.json").read_text())
    data = datasets.load("digits").limited(200)
    assert written["samples"] == len(data.validation)


@pytest.mark.slow
def test_what_steers_lambda_is_at_work_in_a_trial(tmp_path):
    for name, change, column in (
        ("budget", {"budget": "1 mJ"}, "budget_target"),
        ("ramp", {"ramp": 1.0}, "penalty_weight"),
    ):
        base = dataclasses.replace(BASE, weight=0.0, **change)
        tuner = ParetoTuner(
            ConfigHyperModel(base, {"threshold": [0.9, 1.1]}),
            directory=tmp_path,
            project_name=name,
            max_trials=1,
        )
        tuner.search(verbose=0)
        (trial,) = tuner.results().trials
        header = (trial.folder / "history.csv").read_text().splitlines()[0]
        assert column in header.split(",")


def test_fields_become_hyperparameters_of_their_kind():
    hypermodel = ConfigHyperModel(
        BASE,
        {
            "weight": Range(0.01, 10.0, sampling="log"),
            "time_steps": Range(1, 8),
            "threshold": Range(0.5, 1.5, step=0.25),
            "width": [0.25, 0.5, 1],
            "surrogate": ["triangle", "sigmoid"],
            "neuron.learn_beta": [False, True],
        },
    )
    hp = keras_tuner.HyperParameters()
    config = hypermodel.config(hp)
    assert config == dataclasses.replace(
        BASE, weight=0.01, time_steps=1, threshold=0.5, neuron={"learn_beta": False}
    )
    space = Space(hp)
    assert dict(zip(space.names, space.counts, strict=True)) == {
        "weight": None,
        "time_steps": 8,
        "threshold": 5,
        "width": 3,
        "surrogate": 2,
        "neuron.learn_beta": 2,
    }
    hp.values["surrogate"] = "sigmoid"
    assert hypermodel.config(hp).surrogate == "sigmoid"


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({}, "`search` must name at least one field"),
        ({"wieght": [1.0]}, "Did you mean 'weight'"),
        ({"seed": [1, 2]}, "`search` must only name"),
        ({"data": ["digits"]}, "`search` must only name"),
        ({"energy_model": ["cmos45"]}, "`search` must only name"),
        ({"p": 1.0}, "`search` must have a Range or a list"),
        ({"p": []}, "`search` must have a Range or a list"),
        ({"surrogate": "triangle"}, "`search` must have a Range or a list"),
        ({"p": [1.0, "two"]}, "numbers or names, all of one type"),
        ({"p": [0.5, 1.0]}, "`p` must be"),
        ({"weight": Range(-1.0, 1.0)}, "`weight` must be"),
        ({"surrogate": ["triangle", "trianlge"]}, "`surrogate` must be one of"),
        ({"penalty": ["none", "synaptic"], "weight": [1.0]}, "`weight` must be 0"),
        ({"neuron.tau": [1.0]}, "`neuron` must only have arguments"),
    ],
)
def test_refusals(search, message):
    with pytest.raises(ValueError, match=message):
        ConfigHyperModel(BASE, search)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"low": 1.0, "high": 1.0}, "`high` must be"),
        ({"low": 0.0, "high": 1.0, "sampling": "log"}, "`low` must be"),
        ({"low": 0.0, "high": 1.0, "sampling": "ln"}, "`sampling` must be one of"),
        ({"low": 0.0, "high": 1.0, "step": 0.0}, "`step` must be"),
        ({"low": 1.0, "high": 9.0, "sampling": "log", "step": 1.0}, "`step` must be"),
    ],
)
def test_refusals_of_a_range(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Range(**kwargs)
