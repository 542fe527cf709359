"""Search spaces: those of the project, and those of a user's file."""

import dataclasses
import pathlib

import keras_tuner
import pytest

from keras_ssp._config_file import read_config
from keras_ssp.training import TrainConfig
from keras_ssp.tuner import Objective
from tuning.spaces import SPACES, SearchSpace, find_space

RESULTS = pathlib.Path(__file__).parents[2] / "docs" / "results"
LOG = {"low": 0.1, "high": 10.0, "sampling": "log"}


@pytest.mark.parametrize(
    "name, study",
    [
        ("fashion_mnist", "fashion_mnist_study"),
        ("cnn7", "full_size/cnn7_fashion_mnist"),
        ("vgg11", "full_size/vgg11_cifar10"),
        ("resnet18", "full_size/resnet18_cifar10"),
    ],
)
def test_the_networks_are_those_of_the_studies(name, study):
    """So that a searched frontier and a study's grid compare."""
    expected = read_config(RESULTS / f"{study}.toml")["train"]
    assert SPACES[name].config == TrainConfig.from_dict(expected)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
def test_spaces_of_the_project(space):
    assert SearchSpace.from_dict(space.to_dict()) == space
    assert [o.name for o in space.objectives] == [
        "val_accuracy",
        "val_synaptic_energy_pj",
    ]
    assert 0.5 < space.objectives[0].reference < 0.9
    hp = keras_tuner.HyperParameters()
    config = space.hypermodel().config(hp)
    assert {*hp.values} == {*space.search}
    assert config.penalty == "synaptic" and config.normalize and config.weight > 0


FILE = """
    [train]
    epochs = 3
    width = 0.5

    [search]
    weight = { low = 0.1, high = 10.0, sampling = "log" }
    p = [1.0, 2.0]
    "neuron.refractory" = [1, 2]

    [objectives]
    val_accuracy = { reference = 0.8 }
    val_synops = {}
    size = { direction = "min", scale = "log" }
"""


def test_a_users_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(FILE.replace('"neuron.refractory" = [1, 2]', ""))
    space = find_space(str(path))
    assert space.name == "mine" and space.config.epochs == 3
    assert space.search == {"weight": LOG, "p": [1.0, 2.0]}
    assert space.objectives == (
        Objective("val_accuracy", reference=0.8),
        Objective("val_synops"),
        Objective("size", "min", "log"),
    )
    assert SearchSpace.from_dict(space.to_dict()) == space
    path.write_text(FILE)
    with pytest.raises(ValueError, match="Received: refractory"):  # LIF takes none
        find_space(str(path))


def test_other_values_are_not_searched():
    space = SPACES["digits"].with_values({"epochs": 2, "p": 1.5})
    assert space.config.epochs == 2 and space.config.p == 1.5
    assert "p" not in space.search and "weight" in space.search


@pytest.mark.parametrize(
    "values, message",
    [
        ({"searches": {}}, "Received: searches. Did you mean 'search'?"),
        ({"search": [1]}, "`search` must be a table"),
        ({"search": {}}, "`search` must name at least one field"),
        ({"search": {"weigth": [1.0, 2.0]}}, "Did you mean 'weight'?"),
        ({"search": {"weight": {"low": 1.0}}}, "table of low, high"),
        ({"search": {"weight": {**LOG, "hi": 2}}}, "table of low, high"),
        ({"search": {"p": [0.5, 1.0]}}, "`p` must be"),
        ({"train": {"epoch": 3}, "search": {"weight": LOG}}, "Did you mean 'epochs'?"),
        ({"search": {"weight": LOG}, "objectives": {"val_accuracy": 1}}, "a table for"),
        (
            {"search": {"weight": LOG}, "objectives": {"val_loss": {"worst": 1}}},
            "Received: worst",
        ),
        ({"search": {"weight": LOG}, "objectives": {"mine": {}}}, "`direction` must"),
    ],
)
def test_what_makes_no_space_is_refused(values, message):
    with pytest.raises(ValueError) as found:
        SearchSpace.from_dict({"name": "x", **values})
    assert message in str(found.value)


def test_unknown_names_and_files(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'vgg11'"):
        find_space("vgg1")
    with pytest.raises(FileNotFoundError):
        find_space(str(tmp_path / "none.toml"))
    assert dataclasses.is_dataclass(find_space("digits"))
