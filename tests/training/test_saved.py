"""A run says what it was trained on, and is measured on nothing else unawares."""

import dataclasses
import json

import numpy as np
import pytest

from keras_ssp import datasets, training
from keras_ssp.datasets import ImageData, Split
from keras_ssp.training import TrainConfig, load_run
from keras_ssp.training.folder import RunFolder

FAST = TrainConfig(
    width=0.25, time_steps=2, epochs=1, batch_size=16, weight=0.1, train_samples=48
)


def images(name="mine", seed=0, **more):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 17, (64, 8, 8, 1)).astype("uint8")
    part = Split(x, np.arange(64) % 10)
    return ImageData(name, 10, part, part, part, **more)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run on data that nobody has registered."""
    folder = tmp_path_factory.mktemp("runs") / "own"
    return folder, training.train(FAST, folder, data=images(), verbose=0)


def test_run_has_the_name_of_its_data(own):
    folder, run = own
    assert run.config.data == "mine"
    assert json.loads((folder / "config.json").read_text())["data"] == "mine"
    record = json.loads((folder / "data.json").read_text())
    assert record["name"] == "mine"
    assert record["fingerprint"] == images().fingerprint  # before train_samples
    assert record["sample_shape"] == [8, 8, 1] and record["train"]["samples"] == 64
    assert RunFolder(folder).config() == run.config


def test_report_needs_the_data_and_refuses_other(own):
    folder, run = own
    with pytest.raises(ValueError, match="'mine', which is no data set.*--import"):
        load_run(folder)
    again = load_run(folder, data=images())
    assert again.config == run.config
    assert again.report().to_dict() == run.report.to_dict()
    with pytest.raises(ValueError, match="'mine' differs in test. Received: finger"):
        load_run(folder, data=images(seed=1))
    with pytest.raises(ValueError, match="'mine' differs in peak, std"):
        load_run(folder, data=images(peak=16.0, std=(0.5,)))


def test_other_data_that_is_asked_for_is_noted(own):
    folder, _ = own
    report = load_run(folder, data="digits").report(samples=20)
    assert report.samples == 20
    assert report.notes[-1] == "measured on 'digits', trained on 'mine'"


def test_part_of_a_data_set_is_measured_on_its_test_part(tmp_path):
    data = datasets.load("digits").limited(48)
    run = training.train(FAST, tmp_path, data=data, verbose=0)
    report = load_run(tmp_path).report()
    assert report.to_dict() == run.report.to_dict()


def test_resume_with_other_data_is_refused(tmp_path):
    training.train(FAST, tmp_path, data=images(), verbose=0)
    arguments = {"resume": True, "verbose": 0}
    training.train(FAST, tmp_path, data=images(), **arguments)
    with pytest.raises(ValueError, match="`data` must be that which.*in train, valid"):
        training.train(FAST, tmp_path, data=images(seed=1), **arguments)
    with pytest.raises(ValueError, match="Received: data='digits', was 'mine'"):
        training.train(FAST, tmp_path, **arguments)


def test_folder_of_an_earlier_version_works_and_says_what_it_does_not_know(tmp_path):
    config = dataclasses.replace(FAST, epochs=2)
    training.train(FAST, tmp_path / "run", verbose=0)
    (tmp_path / "run" / "data.json").unlink()
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    del saved["neuron"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(saved))
    run = load_run(tmp_path / "run")
    assert run.config == FAST
    assert "no data.json: 'digits' is what its config names" in run.report().notes[-1]
    training.train(FAST, tmp_path / "run", resume=True, verbose=0)
    assert not (tmp_path / "run" / "data.json").exists()  # nobody knows
    with pytest.raises(ValueError, match="differs in epochs"):
        training.train(config, tmp_path / "run", resume=True, verbose=0)
