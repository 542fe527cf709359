"""The energy card, and versions that appear whole."""

import copy
import json
import os
import random
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import keras_ssp
from keras_ssp import energy_report
from keras_ssp.serving import read_card
from keras_ssp.serving.card import check_card, schema
from tests.serving.helpers import LABELS, exported, network

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="written by TensorFlow"
)


def test_the_card_tells_what_was_measured():
    model, x = network()
    report = energy_report(model, x)
    card = read_card(exported())
    assert card["model"]["parameters"] == model.count_params()
    assert card["model"]["time_steps"] == 4
    assert card["penalty"]["name"] == "SynapticPenalty"
    assert card["penalty"]["lambda"] == pytest.approx(1e-3)
    assert card["penalty"]["p"] == 1.0
    assert card["energy_model"]["source"].startswith("Horowitz")
    energy = card["energy"]
    assert energy["energy_joules"] == pytest.approx(1e-12 * report.energy_pj)
    assert energy["synaptic_operations"] == {
        "Effective_ACs": pytest.approx(report.synops),
        "Effective_MACs": pytest.approx(report.macs),
        "Dense": pytest.approx(report.dense),
    }
    assert card["evaluation"]["n"] == len(x)
    right = model.predict(x, verbose=0).argmax(axis=1) == np.arange(20) % 5
    assert card["evaluation"]["accuracy"] == pytest.approx(right.mean())
    result = card["model-index"][0]["results"][0]
    assert {m["type"] for m in result["metrics"]} == {"accuracy", "energy"}
    assert [layer["name"] for layer in card["layers"]] == [
        r.name for r in report.layers
    ]
    for layer, row in zip(card["layers"], report.layers, strict=True):
        assert layer["energy_joules"] == pytest.approx(1e-12 * row.energy_pj)
        price = layer["price_joules"]
        cost = price["constant"] + price["per_spike"] * row.spikes
        cost += price["per_synop"] * row.synops
        assert cost == pytest.approx(1e-12 * row.energy_pj)
    # Nothing was measured with a power meter.
    assert set(card["measured"].values()) == {None}
    assert card["versions"]["keras"] == keras.__version__


def test_without_data_nothing_is_claimed(tmp_path):
    model, _ = network()
    card = read_card(keras_ssp.export(model, tmp_path / "1", seed=7))
    assert card["evaluation"] is None and card["model-index"] == []
    assert card["energy"]["energy_joules"] is None
    assert {layer["spikes"] for layer in card["layers"]} == {None}
    assert card["training"]["seed"] == 7


def test_wrong_cards_are_refused(tmp_path):
    card = read_card(exported())
    for place, value in (
        (("schema_version",), 2),
        (("energy", "energy_joules"), -1.0),
        (("energy", "method"), "measured"),
        (("evaluation", "n"), 0),
        (("layers", 0, "neurons"), "many"),
        (("penalty", "lambda"), None),
    ):
        wrong = copy.deepcopy(card)
        inner = wrong
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        with pytest.raises(ValueError, match="/".join(map(str, place))):
            check_card(wrong)
    for missing in schema()["required"]:
        wrong = {k: v for k, v in card.items() if k != missing}
        with pytest.raises(ValueError, match=missing):
            check_card(wrong)
    file = tmp_path / "energy_card.json"
    file.write_text("{")
    with pytest.raises(ValueError, match="must hold JSON"):
        read_card(file)
    with pytest.raises(FileNotFoundError, match="keras_ssp exported"):
        read_card(tmp_path)


def test_versions_are_never_overwritten_unasked(tmp_path):
    model, _ = network()
    folder = tmp_path / "small"
    assert keras_ssp.export(model, folder) == folder / "1"
    first = (folder / "1" / "saved_model.pb").stat().st_ino
    with pytest.raises(FileExistsError, match="take the next number"):
        keras_ssp.export(model, folder / "1")
    assert (folder / "1" / "saved_model.pb").stat().st_ino == first
    assert keras_ssp.export(model, folder) == folder / "2"
    keras_ssp.export(model, folder / "1", overwrite=True, labels=LABELS)
    assert (folder / "1" / "saved_model.pb").stat().st_ino != first
    assert read_card(folder / "1")["labels"] == list(LABELS)
    assert sorted(each.name for each in folder.iterdir()) == ["1", "2"]


# Forks, as importing TensorFlow 20 times would take minutes.
KILLED = """
import os, pathlib, random, signal, sys, time
from keras_ssp.serving.versions import whole

def write_versions(folder):
    for number in range(1, 10_000):
        with whole(folder / str(number), overwrite=False) as partial:
            partial.mkdir()
            for k in range(8):
                (partial / str(k)).write_bytes(bytes([k]) * 4096)

random.seed(0)
for moment in range(20):
    folder = pathlib.Path(sys.argv[1]) / str(moment)
    child = os.fork()
    if not child:
        write_versions(folder)
        os._exit(1)
    time.sleep(random.uniform(0.0, 0.1))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


def test_a_killed_export_leaves_no_half_version(tmp_path):
    """SIGKILL at 20 moments; what is there afterwards is whole."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert run.returncode == 0, run.stderr[-1000:]
    found = list(tmp_path.glob("*/[0-9]*"))
    assert found, "killed before anything was written"
    for version in found:
        assert {each.name for each in version.iterdir()} == {*"01234567"}
        for k in range(8):
            assert (version / str(k)).read_bytes() == bytes([k]) * 4096


EXPORTS = """
import sys
import keras_ssp
from tests.serving.helpers import network
model, _ = network()
print("ready", flush=True)
for _ in range(10):
    keras_ssp.export(model, sys.argv[1])
"""


@pytest.mark.slow
def test_real_exports_killed_at_20_moments(tmp_path):
    """What is there afterwards can be served, every time."""
    from keras_ssp.serving.http.repository import Repository

    moments = random.Random(0)
    for moment in range(20):
        folder = tmp_path / str(moment) / "small"
        process = subprocess.Popen(
            [sys.executable, "-c", EXPORTS, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        with process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0.0, 8.0))
            process.send_signal(signal.SIGKILL)
        versions = list(folder.glob("[0-9]*"))
        repository = Repository(folder.parent, policy="all")
        repository.scan()
        served = repository.loaded()
        assert len(served) == len(versions)
        print(f"moment {moment}: {len(served)} versions, all served")


def test_what_dead_processes_left_is_removed(tmp_path):
    from keras_ssp.serving.versions import _partial_name, whole

    ours = tmp_path / _partial_name(tmp_path / "5")
    dead = tmp_path / ours.name.replace(f"-{os.getpid()}-", "-999999999-")
    other = tmp_path / ".7.partial-elsewhere-1-abc"
    for folder in (ours, dead, other):
        folder.mkdir()
    with whole(tmp_path / "6", overwrite=False) as partial:
        partial.mkdir()
    assert ours.exists() and other.exists() and not dead.exists()
    assert (tmp_path / "6").is_dir()


def test_a_failed_export_leaves_nothing(tmp_path):
    model, _ = network()

    def fails(path):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        keras_ssp.export(model, tmp_path / "small", files={"notes.txt": fails})
    assert not list((tmp_path / "small").iterdir())
    path = keras_ssp.export(
        model, tmp_path / "small", files={"notes.txt": lambda p: p.write_text("ours")}
    )
    assert (path / "assets.extra" / "notes.txt").read_text() == "ours"
    assert json.loads((path / "assets.extra" / "energy_card.json").read_text())
