"""Kills at random moments of train, compare and resume: `make test-slow`."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

KILLS = int(os.environ.get("KERAS_SSP_KILLS", "100"))
pytestmark = pytest.mark.slow
NETWORK = "--train-samples 256 --width 0.25 --time-steps 2".split()
TRAIN = ["train", "--data", "digits", *NETWORK, "--epochs", "4", "--verbose", "0"]
STUDY = """
[train]
train_samples = 256
width = 0.25
time_steps = 2
epochs = 2
[grid]
penalties = ["none", "synaptic", "converted"]
weights = [0.3]
seeds = [0]
conversion_steps = [2, 4]
"""


def run_with_kills(arguments, kills, seed):
    """Runs a command again and again, killed at random moments; then to its end."""
    rng, longest, killed = random.Random(seed), 25.0, 0
    command = [sys.executable, "-m", "keras_ssp", *arguments]
    while killed < kills:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        began = time.monotonic()
        try:
            _, error = process.communicate(timeout=rng.uniform(3.0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
            continue
        assert process.returncode == 0, error
        longest = min(longest, time.monotonic() - began)
        return killed
    subprocess.run(command, check=True, capture_output=True)
    return killed


def results(path):
    with open(path, newline="") as file:
        rows = [
            {k: v for k, v in r.items() if k != "seconds"} for r in csv.DictReader(file)
        ]
    return sorted(rows, key=lambda row: (row["key"], row["time_steps"]))


def test_killed_trainings_end_like_the_unbroken_one(tmp_path):
    whole = tmp_path / "whole"
    subprocess.run(
        [sys.executable, "-m", "keras_ssp", *TRAIN, "--run-dir", str(whole)], check=True
    )
    killed, k = 0, 0
    while killed < KILLS * 7 // 10:
        folder, k = tmp_path / f"killed{k}", k + 1
        arguments = [*TRAIN, "--run-dir", str(folder), "--resume"]
        killed += run_with_kills(arguments, 10, seed=k)
        for name in ("summary.json", "config.json", "data.json"):
            assert json.loads((folder / name).read_text()) == json.loads(
                (whole / name).read_text()
            )
        history = (folder / "history.csv").read_text()
        assert history == (whole / "history.csv").read_text()
    print(f"{killed} kills, {k} trainings")


def test_killed_studies_lose_nothing_and_hold_nothing_twice(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text(STUDY)
    compare = ["compare", str(study), "--verbose", "0", "--out"]
    whole = tmp_path / "whole"
    subprocess.run(
        [sys.executable, "-m", "keras_ssp", *compare, str(whole)], check=True
    )
    killed, k = 0, 0
    while killed < KILLS * 3 // 10:
        folder, k = tmp_path / f"killed{k}", k + 1
        killed += run_with_kills([*compare, str(folder)], 6, seed=100 + k)
        assert results(folder / "results.csv") == results(whole / "results.csv")
    print(f"{killed} kills, {k} studies")
