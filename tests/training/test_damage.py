"""Run folders that were damaged: nothing is believed that is broken, and it is said."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from keras_ssp._files import LOCK, locked
from keras_ssp.cli import main
from keras_ssp.training import TrainConfig, load_run, train
from tests.training.test_run import DATA, FAST

SHORT = dataclasses.replace(FAST, epochs=2, train_samples=64)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    train(SHORT, folder, data=DATA, verbose=0)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A run that was stopped after its last epoch, before its summary."""
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    (copy / "summary.json").unlink()
    return copy


def checkpoint(folder):
    (path,) = folder.glob("checkpoint-*.weights.h5")
    return path


def flip(path, place=0.5):
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x10
    path.write_bytes(content)


def cut(path, share=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


DAMAGE = {
    "config gone": (
        lambda f: (f / "config.json").unlink(),
        "config.json.*no such file",
    ),
    "config empty": (lambda f: (f / "config.json").write_text("{}"), "an empty table"),
    "config null": (
        lambda f: (f / "config.json").write_text("null"),
        "json is damaged",
    ),
    "config list": (lambda f: (f / "config.json").write_text("[]"), "json is damaged"),
    "config torn": (lambda f: cut(f / "config.json"), "config.json is damaged"),
    "config bytes": (lambda f: (f / "config.json").write_bytes(b"\xff"), "is damaged"),
    "data torn": (lambda f: cut(f / "data.json"), "data.json is damaged"),
    "checkpoint flipped": (lambda f: flip(checkpoint(f)), "weights.h5 is damaged"),
    "checkpoint torn": (lambda f: cut(checkpoint(f)), "weights.h5 is damaged"),
    "checkpoint renamed": (
        lambda f: checkpoint(f).rename(f / "checkpoint-00001.weights.h5"),
        None,  # without a digest it is that of an earlier version: one epoch again
    ),
    "checkpoint of another epoch": (
        lambda f: checkpoint(f).rename(
            f / checkpoint(f).name.replace("-00002-", "-00001-")
        ),
        "weights.h5 is damaged",
    ),
    "checkpoint too far": (
        lambda f: checkpoint(f).rename(f / "checkpoint-00009.weights.h5"),
        "must be of a run of at most 2 epochs. Received: 9",
    ),
    "history gone": (lambda f: (f / "history.csv").unlink(), "a row for each of the 2"),
    "history short": (lambda f: cut(f / "history.csv"), "a row for each of the 2"),
    "history wrong": (
        lambda f: (f / "history.csv").write_text(
            (f / "history.csv").read_text().replace(",0.", ",?.", 1)
        ),
        "Line 2 of .*history.csv is damaged",
    ),
    "model, report and picture torn": (
        lambda f: [cut(f / n) for n in ("model.keras", "energy.json", "history.png")],
        None,  # they are written again
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_resume_believes_only_what_agrees(folder, name):
    damage, message = DAMAGE[name]
    damage(folder)
    if message is None:
        run = train(SHORT, folder, data=DATA, resume=True, verbose=0)
        assert len(run.history["loss"]) == 2
        assert load_run(folder, data=DATA).model.count_params()
        return
    with pytest.raises(ValueError, match=message):
        train(SHORT, folder, data=DATA, resume=True, verbose=0)
    assert not (folder / "summary.json").exists()
    if name == "config null":
        train(SHORT, folder, data=DATA, overwrite=True, verbose=0)  # the way out


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: flip(f / "model.keras"),
        lambda f: cut(f / "model.keras"),
        lambda f: (f / "model.keras").write_bytes(b""),
        lambda f: cut(f / "config.json"),
        lambda f: (f / "config.json").write_text("3"),
        lambda f: (f / "config.json").write_text('{"seed": 1}'),
        lambda f: cut(f / "data.json"),
    ],
)
def test_a_report_of_damaged_files_names_the_file(folder, damage, capsys):
    damage(folder)
    assert main(["report", str(folder), "--data", "digits"]) == 2
    error = capsys.readouterr().err
    assert str(folder) in error
    assert "Remedy:" in error
    assert "Traceback" not in error
    assert "not expected" not in error


CONFIGS = {
    "study.toml": [
        "[grid]\nweights = 0.1",
        "[grid]\nseeds = 1",
        "train = 5",
        '[grid]\nweights = "13"',
        '[grid]\nweights = ["0.1"]',
        "[grid]\nseeds = [0, 0]",
        "[grid]\nweights = [0.1, 0.1]",
        "[grid]\ntarget_weight = -1.0",
        '[train]\nnormalize = "false"',
        "[train]\nseed = -1",
    ],
    "run.json": [
        '{"beta": 1' + "0" * 400 + "}",
        '{"weight": 1e300}',
        '{"threshold": 1e-60}',
        "[1, 2]",
        '{"seed": 4294967296}',
        '{"epochs": true}',
        '{"label_smoothing": "0.1"}',
    ],
    "run.yaml": ["1: 2\nfoo: 3", "seed: [1]", "epochs: 1.5"],
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name in CONFIGS for text in CONFIGS[name]]
)
def test_nonsense_in_a_config_is_an_error_of_one_line(name, text, tmp_path, capsys):
    if name.endswith("yaml"):
        pytest.importorskip("yaml")
    path = tmp_path / name
    path.write_text(text)
    out = str(tmp_path / "out")
    command = "compare" if name.startswith("study") else "train"
    flag = "--run-dir" if command == "train" else "--out"
    arguments = [str(path)] if command == "compare" else ["--config", str(path)]
    assert main([command, *arguments, flag, out]) == 2
    error = capsys.readouterr().err
    assert "eceived" in error
    assert "not expected" not in error
    assert not os.path.exists(out) or not os.listdir(out)


def test_a_bad_seed_leaves_the_folder_free(tmp_path):
    with pytest.raises(ValueError, match="`seed` must be an integer from 0 to 2"):
        train(TrainConfig(seed=-1), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_numbers_of_numpy_are_plain_numbers(tmp_path):
    config = TrainConfig(
        weight=np.float32(0.5), seed=np.int64(3), epochs=np.int32(1), width=0.25
    )
    assert json.loads(json.dumps(config.to_dict()))["weight"] == 0.5
    assert (config.seed, type(config.seed)) == (3, int)


HOLDER = """
import sys, time
from keras_ssp._files import locked
with locked(sys.argv[1], "trains there"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "held\n"
        message = f"process {process.pid} on .* trains there since .* delete"
        with pytest.raises(RuntimeError, match=message):
            train(SHORT, tmp_path, data=DATA, resume=True, verbose=0)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert (tmp_path / LOCK).exists()  # the dead process could not remove it
    with locked(tmp_path, "looks"):
        pass
    assert not (tmp_path / LOCK).exists()


def test_a_lock_of_another_machine_is_not_taken_over(tmp_path):
    (tmp_path / LOCK).write_text(json.dumps({"process": 1, "host": "elsewhere"}))
    with pytest.raises(RuntimeError, match="process 1 on elsewhere"):
        with locked(tmp_path, "looks"):
            pass
