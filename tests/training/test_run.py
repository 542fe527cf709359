"""The recipe: run folders, same seed same result, and resume after `kill -9`."""

import csv
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import time

import keras
import numpy as np
import pytest

from keras_ssp import datasets, energy_report, models, training
from keras_ssp.datasets import ImageData, Split
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from keras_ssp.training.config import TrainConfig
from keras_ssp.training.folder import keep_rows, read_history
from keras_ssp.training.run import build

DATA = datasets.load("digits").limited(320)
FAST = TrainConfig(
    width=0.25, time_steps=2, epochs=3, batch_size=32, learning_rate=1e-2, weight=0.1
)


def train(*arguments, data=DATA, **keywords):
    return training.train(*arguments, data=data, verbose=0, **keywords)


@pytest.mark.every_backend
@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd", "learning_rate": 0.1, "clip_norm": 1.0, "warmup": 0.5},
        {
            **{"augment": "standard", "label_smoothing": 0.1, "weight_decay": 1e-3},
            **{"precision": "mixed_bfloat16", "ramp": 1.0},
        },
        {"penalty": "none", "weight": 0.0, "activation": "relu"},
        {
            **{"penalty": "synops_target", "weight": 0.1, "target": 1e4},
            "pooling": "max",
        },
    ],
)
def test_recipe_learns_with_every_option(changes):
    config = dataclasses.replace(FAST, **changes)
    run = train(config)
    assert run.history["loss"][-1] < run.history["loss"][0]
    assert set(run.history) >= {"val_accuracy", "val_synops", "val_energy_pj"}
    assert run.report.samples == len(DATA.test)
    assert (run.report.synops > 0) == (config.activation == "lif")
    assert keras.config.dtype_policy().name == "float32"


def test_network_of_ones_own(monkeypatch):
    entries = models.registry._NETWORKS._entries
    monkeypatch.setattr(models.registry._NETWORKS, "_entries", dict(entries))
    with pytest.raises(ValueError, match="`model` must be one of.*'mine'"):
        TrainConfig(model="mine")

    traced = []

    class Traced(keras.layers.Flatten):
        def call(self, inputs, training=None):
            traced.append(training)
            return super().call(inputs)

    @models.register("mine")
    def mine(input_shape, classes, *, width, time_steps, activation, pooling, **lif):
        assert (width, activation, pooling) == (0.25, "lif", "average")
        return keras.Sequential(
            [
                keras.Input(input_shape),
                Traced(),
                keras.layers.Dense(20),
                DirectEncoding(time_steps),
                LIF(**lif),
                keras.layers.Dense(classes),
                RateReadout(),
            ]
        )

    run = train(dataclasses.replace(FAST, model="mine", beta=0.75, epochs=1))
    assert [row.neurons for row in run.report.layers if row.kind == "lif"] == [20]
    assert run.model.layers[-3].beta == 0.75 and run.report.time_steps == 2
    assert traced.count(True) == 1  # training ran 10 steps and was traced once


@pytest.mark.slow
def test_accuracy_is_that_of_the_model():
    run = train(FAST)
    logits = run.model.predict(DATA.normalized(DATA.test.x), verbose=0)
    right = int((logits.argmax(axis=1) == DATA.test.y).sum())
    assert run.test_accuracy == pytest.approx(right / len(DATA.test))


@pytest.mark.slow
def test_same_seed_same_result_other_seed_other_result():
    runs = [train(dataclasses.replace(FAST, seed=seed)) for seed in (1, 1, 2)]
    weights = [run.model.get_weights() for run in runs]
    for a, b in zip(weights[0], weights[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert runs[0].summary() == runs[1].summary()
    assert runs[0].history == runs[1].history
    assert not np.array_equal(weights[0][0], weights[2][0])


def test_penalty_lowers_the_energy():
    free, penalised = (
        train(dataclasses.replace(FAST, epochs=8, weight=w)) for w in (0.0, 10.0)
    )
    assert penalised.report.synops < 0.75 * free.report.synops


def test_run_folder_holds_what_it_promises(tmp_path):
    pytest.importorskip("matplotlib")
    run = train(FAST, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "config.json",
        "data.json",
        "history.csv",
        "summary.json",
        "model.keras",
        "energy.json",
        "energy.md",
        "energy.png",
        "history.png",
        next(n for n in names if re.fullmatch("checkpoint-00003-[0-9a-f]{16}.*h5", n)),
    }
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    again = energy_report(model, DATA.normalized(DATA.test.x))
    assert again.synops == pytest.approx(run.report.synops, rel=1e-6)
    saved = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert saved == run.summary()
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert TrainConfig.from_dict(config) == FAST
    with open(tmp_path / "run" / "history.csv") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]


def test_folder_in_use_is_not_written_over(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(FileExistsError, match="`run_dir` must be a new or empty"):
        train(FAST, tmp_path)
    short = dataclasses.replace(FAST, epochs=1)
    train(short, tmp_path, overwrite=True)
    train(dataclasses.replace(short, seed=1), tmp_path, overwrite=True)
    assert (tmp_path / "letters.txt").read_text() == "dear"  # not a run's file
    with pytest.raises(ValueError, match="differs in seed. Received: seed=2, was 1"):
        train(dataclasses.replace(short, seed=2), tmp_path, resume=True)


def test_finished_run_is_not_trained_again(tmp_path):
    first = train(FAST, tmp_path)
    again = train(FAST, tmp_path, resume=True)
    assert again.history == first.history
    assert again.summary() == first.summary()


# Both trainings are processes of their own with one thread each: what other tests
# left in this one, and threads that add in another order, would change last digits.
CHILD = """
    import pathlib, sys
    from tests.training.test_run import FAST, slow_down, train
    slow_down(float(sys.argv[2]))
    train(FAST, pathlib.Path(sys.argv[1]), resume=True)
"""
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def training_process(folder, seconds=0.0):
    path = os.pathsep.join(["", os.getcwd()])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(folder), str(seconds)],
        env={**os.environ, "PYTHONPATH": path, **ONE_THREAD},
    )


def slow_down(seconds):
    """Lets the parent see each epoch's checkpoint before the next epoch ends."""
    from keras_ssp.training import checkpoint

    write = checkpoint.EpochCheckpoint.on_epoch_end

    def slowly(self, epoch, logs=None):
        write(self, epoch, logs)
        time.sleep(seconds)

    checkpoint.EpochCheckpoint.on_epoch_end = slowly


@pytest.mark.parametrize("epoch", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_run_goes_on_and_ends_like_the_unbroken_one(tmp_path, epoch):
    unbroken = training_process(tmp_path / "unbroken")
    folder = tmp_path / "killed"
    process = training_process(folder, seconds=2.0)
    awaited = f"checkpoint-{epoch:05d}-*.weights.h5"
    deadline = time.monotonic() + 240
    while not list(folder.glob(awaited)) and time.monotonic() < deadline:
        assert process.poll() is None, "the training ended before it was killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "summary.json").exists()
    # What a kill at a worse moment leaves: a torn row and half a checkpoint.
    with open(folder / "history.csv", "a") as file:
        file.write("2,0.5,")
    (folder / "partial.weights.h5").write_bytes(b"half")
    assert training_process(folder).wait() == 0
    assert unbroken.wait() == 0
    for name in ("history.csv", "summary.json"):
        assert (folder / name).read_text() == (tmp_path / "unbroken" / name).read_text()
    ended, wanted = (
        keras.saving.load_model(at / "model.keras").get_weights()
        for at in (folder, tmp_path / "unbroken")
    )
    for a, b in zip(ended, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


BUDGET = dataclasses.replace(FAST, weight=0.0, budget="4 nJ", epochs=12)


def test_a_budget_is_kept_and_told(tmp_path):
    run = train(BUDGET, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary == run.summary()
    spent = energy_report(run.model, DATA.inputs("validation").x).synaptic_energy_pj
    assert summary["budget_target_pj"] == 4e3
    assert summary["budget_spent_pj"] == pytest.approx(spent)
    assert summary["budget_ratio"] == pytest.approx(spent / 4e3)
    assert summary["budget_reached"] and run.budget.reached
    assert 0.97 <= run.budget.ratio <= 1.0
    assert "4 nJ, reached: " in str(run.budget)
    assert run.history["budget_target"] == [4e3] * BUDGET.epochs
    # A finished run that is asked for again is the same.
    assert train(BUDGET, tmp_path, resume=True).summary() == summary


# Who is interrupted closes no file; the test's process lives on and hears of it.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("epoch", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_an_interrupted_budget_ends_like_the_unbroken_one(tmp_path, monkeypatch, epoch):
    from keras_ssp.training import checkpoint

    unbroken = train(BUDGET, tmp_path / "unbroken")
    write = checkpoint.EpochCheckpoint.on_epoch_end

    def dies(self, at, logs=None):
        write(self, at, logs)
        if at + 1 == epoch:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.EpochCheckpoint, "on_epoch_end", dies)
        with pytest.raises(KeyboardInterrupt):
            train(BUDGET, tmp_path / "broken")
    resumed = train(BUDGET, tmp_path / "broken", resume=True)
    for a, b in zip(
        unbroken.model.get_weights(), resumed.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert resumed.history == unbroken.history
    assert resumed.summary() == unbroken.summary()


def test_rows_of_epochs_without_a_checkpoint_are_dropped(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss\n0,3.0\n1,2.0\n2,1")
    keep_rows(path, 2)
    assert read_history(path) == {"loss": [3.0, 2.0]}
    keep_rows(path, 0)
    assert path.read_text() == ""
    # A row that is whole, of an epoch whose checkpoint was never written.
    path.write_text("epoch,loss\n0,3.0\n1,2.0\n2,1.0\n")
    keep_rows(path, 2)
    assert read_history(path) == {"loss": [3.0, 2.0]}


def test_a_checkpoint_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """After a power cut a file may have its name and not its content."""
    synced, renamed = set(), []
    sync, replace = os.fsync, os.replace

    def note_sync(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    def note_rename(source, target):
        renamed.append((pathlib.Path(target).name, os.stat(source).st_ino in synced))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_rename)
    train(dataclasses.replace(FAST, epochs=1), tmp_path)
    names = [name for name, _ in renamed]
    assert any(name.startswith("checkpoint-") for name in names)
    assert {"summary.json", "model.keras"} <= {*names}
    assert [name for name, was_synced in renamed if not was_synced] == []


def test_warmup_and_cosine_decay_reach_their_ends():
    config = dataclasses.replace(FAST, epochs=4, warmup=1.0, learning_rate=0.1)
    rate = build(config, DATA).optimizer._learning_rate
    steps = 4 * 10
    values = [float(rate(k)) for k in range(steps + 1)]
    assert values[0] == 0.0
    assert max(values) == pytest.approx(0.1) == values[10]
    assert values[-1] == pytest.approx(0.0, abs=1e-7)


def test_decay_leaves_scales_and_thresholds_alone():
    config = dataclasses.replace(FAST, weight_decay=0.1)
    model = build(config, DATA)
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    kernels = [v for v in model.trainable_variables if "kernel" in v.path]
    others = [v for v in model.trainable_variables if "kernel" not in v.path]
    assert kernels and all(optimizer._use_weight_decay(v) for v in kernels)
    assert others and not any(optimizer._use_weight_decay(v) for v in others)


@pytest.mark.every_backend
def test_event_data_trains_too():
    """DVS-like arrays, (n, T, height, width, channels)."""
    rng = np.random.default_rng(0)
    y = np.arange(64) % 2
    x = rng.poisson(0.1, (64, 3, 8, 8, 2)).astype("uint8")
    x[y == 1, :, :4] += rng.poisson(1.0, (32, 3, 4, 8, 2)).astype("uint8")
    part = Split(x, y)
    data = ImageData("events", 2, part, part, part)
    config = dataclasses.replace(FAST, time_steps=3, epochs=10, batch_size=16)
    run = train(config, data=data)
    assert run.test_accuracy > 0.9
    kinds = {row.name: row.kind for row in run.report.layers}
    assert kinds["encoding"] == "encoding" and "analogue" not in kinds.values()
