"""Configs: every rule has an error, files and flags give the same config."""

import dataclasses
import json

import keras
import pytest

from keras_ssp import layers, penalties, training
from keras_ssp._config_file import read_config
from keras_ssp.layers import SpikingLayer, neurons
from keras_ssp.training import optimizers
from keras_ssp.training.config import TrainConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": "imagenet"}, "`data` must be one of.*'imagenet'"),
        ({"model": "cnn8"}, "`model` must be one of.*'cnn8'"),
        ({"surrogate": "tirangle"}, "`surrogate` must be one of.*'tirangle'"),
        ({"energy_model": "abacus"}, "`energy_model` must be one of.*'abacus'"),
        ({"penalty": "l1"}, "`penalty` must be one of.*'l1'"),
        ({"augment": "all"}, "`augment` must be one of.*'all'"),
        ({"time_steps": 0}, "`time_steps` must be a positive integer.*0"),
        ({"epochs": 1.5}, "`epochs` must be a positive integer.*1.5"),
        ({"batch_size": -1}, "`batch_size` must be a positive integer"),
        ({"train_samples": 0}, "`train_samples` must be a positive integer or None"),
        ({"width": 0}, "`width` must be a finite number above 0"),
        ({"weight": -1.0}, "`weight` must be a finite number of at least 0.*-1.0"),
        ({"weight": float("nan")}, "`weight` must be a finite number.*nan"),
        ({"p": 0.5}, "`p` must be a finite number of at least 1"),
        ({"beta": 2.0}, r"`beta` must be a number in \[0, 1\]"),
        ({"threshold": 0.0}, "`threshold` must be a finite number above 0"),
        ({"learning_rate": 0}, "`learning_rate` must be a finite number above 0"),
        ({"label_smoothing": 0.6}, "`label_smoothing` must be a number in"),
        ({"epochs": 3, "warmup": 4.0}, r"`warmup` must be a number in \[0, 3\]"),
        ({"epochs": 3, "ramp": 4.0}, r"`ramp` must be a number in \[0, 3\]"),
        ({"clip_norm": 0.0}, "`clip_norm` must be a finite number above 0"),
        ({"seed": 1.0}, "`seed` must be an integer"),
        ({"penalty": "synops_target"}, "`target` must be given with"),
        ({"target": 100.0}, "`target` must be given with.*only then"),
        ({"penalty": "none", "weight": 1.0}, "`weight` must be 0 with penalty='none'"),
        ({"activation": "relu"}, "`penalty` must be 'none' in a network without"),
        ({"budget": "50 nm"}, "`budget` must be an energy above 0 with a unit"),
        (
            {"budget": "5 nJ", "penalty": "none"},
            "`penalty` must not be 'none' with a budget",
        ),
        ({"budget": "5 nJ", "weight": 1.0}, "`weight` must be left out with a budget"),
        ({"budget": "5 nJ", "ramp": 1.0}, "`ramp` must be left out with a budget"),
    ],
)
def test_every_rule(values, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**values)


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="Received: lambda"):
        TrainConfig.from_dict({"lambda": 1.0})


FILES = {
    "toml": 'data = "digits"\nweight = 0.5\nclip_norm = 1.0\nnormalize = false\n',
    "json": '{"data": "digits", "weight": 0.5, "clip_norm": 1.0, "normalize": false}',
    "yaml": "data: digits\nweight: 0.5\nclip_norm: 1.0\nnormalize: false\n",
}


@pytest.mark.parametrize("kind", FILES)
def test_files_of_every_kind(kind, tmp_path):
    path = tmp_path / f"config.{kind}"
    path.write_text(FILES[kind])
    config = TrainConfig.from_dict(read_config(path))
    assert config == TrainConfig(weight=0.5, clip_norm=1.0, normalize=False)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.ini", "", "ends in .toml, .json, .yaml, .yml"),
        ("c.toml", "data = ", "`config` does not parse"),
        ("c.json", "{", "`config` does not parse"),
        ("c.yaml", "- a\n- b\n", "must be a table of names and values.*list"),
    ],
)
def test_bad_files(name, text, message, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_config(path)


def test_config_survives_json():
    config = TrainConfig(penalty="synops_target", weight=1.0, target=1e5, seed=3)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert dataclasses.replace(config, seed=4) != config


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"penalty": "none"}, None),
        (
            {"penalty": "synaptic", "weight": 0.1, "p": 2.0},
            penalties.SynapticPenalty(0.1, p=2, normalize=True),
        ),
        (
            {"penalty": "spike_count", "weight": 0.1, "normalize": False},
            penalties.SpikeCountPenalty(0.1),
        ),
        (
            {"penalty": "balanced", "weight": 0.1},
            penalties.BalancedPenalty(0.1, normalize=True),
        ),
        (
            {"penalty": "synops_target", "weight": 0.1, "target": 9.0},
            penalties.SynOpsTarget(0.1, target=9.0),
        ),
    ],
)
def test_penalty_of_a_config(values, expected):
    assert repr(TrainConfig(**values).make_penalty()) == repr(expected)


@pytest.fixture
def own_names(monkeypatch):
    """Registered names end with the test."""
    for module, name in (
        (neurons, "_NEURONS"),
        (penalties.family, "_PENALTIES"),
        (optimizers, "_OPTIMIZERS"),
    ):
        held = getattr(module, name)
        monkeypatch.setattr(held, "_entries", dict(held._entries))


def test_arguments_of_a_neuron(own_names):
    @layers.register_neuron("my_neuron")
    class MyNeuron(SpikingLayer):
        def __init__(self, beta=0.9, *, boost=1.0, **kwargs):
            super().__init__(**kwargs)

    config = TrainConfig(activation="my_neuron", beta=0.5, neuron={"boost": 2.0})
    assert config.spiking
    assert config.neuron_arguments() == {"beta": 0.5, "boost": 2.0}
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    for values, message in (
        ({"threshold": 2.0}, "`threshold` must be left out.*'my_neuron'.*=2.0"),
        ({"neuron": {"bost": 1.0}}, "Received: bost. Did you mean 'boost'"),
        ({"neuron": {"beta": 1.0}}, "that are no field of the config: boost"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(config, **values)
    with pytest.raises(ValueError, match="`neuron` must be empty.*'relu'"):
        TrainConfig(activation="relu", penalty="none", neuron={"boost": 1.0})


def test_arguments_of_lif_are_as_ever():
    config = TrainConfig(neuron={"detach_reset": True})
    assert config.neuron_arguments() == {
        "beta": 0.5,
        "threshold": 1.0,
        "reset": "hard",
        "surrogate": "triangle",
        "detach_reset": True,
    }


def test_penalty_of_ones_own_gets_what_it_takes(own_names):
    @penalties.register("mine")
    class Mine(penalties.SpikePenalty):
        def __init__(self, weight, *, target):
            super().__init__(weight)
            self.target = target

        def taps(self, site):
            return site.taps

    made = TrainConfig(penalty="mine", weight=0.1, target=5.0).make_penalty()
    assert (made.weight, made.target) == (0.1, 5.0)
    with pytest.raises(ValueError, match="`target` must be given with"):
        TrainConfig(penalty="mine", weight=0.1)
    for values in ({"p": 2.0}, {"normalize": False}):
        with pytest.raises(ValueError, match="must be left out with penalty='mine'"):
            TrainConfig(penalty="mine", target=5.0, **values)


def test_optimizer_of_ones_own_gets_what_it_takes(own_names):
    training.register_optimizer("lion", keras.optimizers.Lion)
    config = TrainConfig(optimizer="lion", weight_decay=0.1, clip_norm=2.0)
    expected = {"weight_decay": 0.1, "global_clipnorm": 2.0}
    assert config.optimizer_arguments() == expected

    training.register_optimizer("plain", lambda learning_rate: None)
    with pytest.raises(ValueError, match="`clip_norm` must be left out.*'plain'"):
        TrainConfig(optimizer="plain", clip_norm=2.0)


def test_name_of_ones_own_that_is_not_imported():
    with pytest.raises(ValueError, match="'my_neuron'.*import the module"):
        TrainConfig(activation="my_neuron")
    with pytest.raises(ValueError, match="Did you mean 'learning_rate'"):
        TrainConfig.from_dict({"learning_rat": 0.1})
