"""Reports of exported models, without the model that they were made of."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_ssp
from keras_ssp import energy_report
from keras_ssp.cli import main
from keras_ssp.energy import EnergyReport
from keras_ssp.serving import read_card
from keras_ssp.training import TrainConfig, train
from tests.serving.helpers import event_network, exported, network, until

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exported models run in TensorFlow"
)


def opened(path):
    from keras_ssp.serving.exported import ExportedModel

    return ExportedModel(path)


@pytest.mark.parametrize("energy_model", [None, "lemaire2022"])
def test_the_report_is_that_of_the_model(energy_model):
    model, x = network()
    found = opened(exported()).report(x, batch_size=7, energy_model=energy_model)
    expected = energy_report(model, x, energy_model=energy_model or "cmos45")
    found, expected = found.to_dict(), expected.to_dict()
    assert found.pop("layers") == expected.pop("layers")
    assert found == expected


def test_events_and_their_rate(tmp_path):
    model, x = event_network()
    path = keras_ssp.export(model, tmp_path / "1")
    assert opened(path).report(x).to_dict() == energy_report(model, x).to_dict()
    with pytest.raises(ValueError, match="event counts, so `data` must hold whole"):
        opened(path).report(0.5 * x)


def test_data_that_does_not_fit(tmp_path):
    exported_model = opened(exported())
    _, x = network()
    for match, data in (
        (r"must be of shape \(\?, 8, 8, 2\)", x[..., :1]),
        ("must hold finite numbers", np.full_like(x, np.nan)),
        ("at least one", x[:0]),
        ("inputs must be 'inputs'", {"image": x}),
    ):
        with pytest.raises(ValueError, match=match):
            exported_model.report(data)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two trained networks of the digits, one of them with a strong penalty."""
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("runs")
    for weight in (0.0, 30.0):
        config = TrainConfig(epochs=2, width=0.25, weight=weight, time_steps=2, seed=3)
        train(config, folder / f"w{weight:g}", verbose=0)
    return folder


def test_the_command_line_exports_and_reports(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(runs / "w0"), "--to", "saved_models/digits"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("saved_models/digits/1: ")
    assert "% on 539 samples of 'digits'" in said
    card = read_card(tmp_path / "saved_models" / "digits" / "1")
    summary = json.loads((runs / "w0" / "summary.json").read_text())
    assert card["evaluation"]["accuracy"] == pytest.approx(summary["test_accuracy"])
    assert card["energy"]["energy_joules"] == pytest.approx(
        1e-12 * summary["energy_pj"]
    )
    assert card["training"]["seed"] == 3
    assert card["training"]["config"]["width"] == 0.25
    assert card["labels"] == [*"0123456789"]
    assert card["inputs"][0]["dtype"] == "uint8"
    # The report of what was exported is that of the run.
    version = "saved_models/digits/1"
    assert main(["report", version, "--format", "json"]) == 0
    found = EnergyReport.from_dict(json.loads(capsys.readouterr().out))
    expected = json.loads((runs / "w0" / "energy.json").read_text())
    assert found.energy_pj == pytest.approx(expected["totals"]["energy_pj"], rel=1e-6)
    assert [r.name for r in found.layers] == [r["name"] for r in expected["layers"]]
    for row, wanted in zip(found.layers, expected["layers"], strict=True):
        assert row.spikes == pytest.approx(wanted["spikes"], rel=1e-6)
    # A number at the end is the version; an existing one stays.
    assert main(["export", str(runs / "w0"), "--to", version]) == 2
    assert "take the next number, or overwrite" in capsys.readouterr().err
    assert main(["export", str(runs / "w0"), "--to", version, "--overwrite"]) == 0


def test_the_command_line_writes_other_formats(runs, tmp_path, capsys):
    path = tmp_path / "digits.tflite"
    arguments = ["--to", str(path), "--labels", "none", "--normalized"]
    assert main(["export", str(runs / "w0"), *arguments]) == 0
    assert path.is_file()
    card = read_card(tmp_path / "digits.energy_card.json")
    assert card["labels"] is None and not card["preprocessing"]["inside"]


def test_bad_commands_are_named(runs, tmp_path, capsys):
    for arguments, message in (
        ([str(runs / "w0"), "--pick", "eco=knee"], "`--pick` must be left out"),
        ([str(runs / "w0"), str(runs / "w30"), "--pick", "eco"], "LABEL=WHICH"),
        ([str(runs / "w0"), str(runs / "w30"), "--overwrite"], "`--overwrite` must be"),
        ([str(tmp_path / "none")], "`path` must be a run folder"),
        ([str(runs / "w0"), "--labels", "a,b"], "`labels` must hold a name"),
    ):
        to = ["--to", str(tmp_path / "saved")]
        assert main(["export", *arguments, *to]) == 2
        assert message in capsys.readouterr().err
    assert main(["serve", str(tmp_path / "nothing")]) == 2
    assert "`root` must be a folder" in capsys.readouterr().err
    assert main(["report", str(exported())]) == 2
    assert "whose energy card names no data set" in capsys.readouterr().err


def test_a_frontier_of_runs(runs, tmp_path, capsys):
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    from google.protobuf import text_format

    folder = tmp_path / "digits"
    sources = [str(runs / "w0"), str(runs / "w30")]
    picks = ["--pick", "eco=w30", "--pick", "accurate=w0"]
    assert main(["export", *sources, "--to", str(folder), *picks]) == 0
    assert "version 2 (accurate)" in capsys.readouterr().out
    front = json.loads((folder / "front.json").read_text())
    assert front["labels"] == {"eco": 1, "accurate": 2}
    cheap, dear = front["versions"]
    assert cheap["energy_joules"] < dear["energy_joules"]
    for entry in (cheap, dear):
        card = read_card(folder / str(entry["version"]))
        assert entry["accuracy"] == card["evaluation"]["accuracy"]
        assert card["extra"]["labels"] == entry["labels"]
    # TensorFlow Serving's own message takes the file.
    text = (folder / "model_config").read_text()
    parsed = text_format.Parse(text, config.ModelServerConfig())
    (served,) = parsed.model_config_list.config
    assert (served.name, served.base_path) == ("digits", "/models/digits")
    assert dict(served.version_labels) == {"eco": 1, "accurate": 2}
    assert [*served.model_version_policy.specific.versions] == [1, 2]
    # A second frontier takes the next numbers, and the labels with it.
    labels = keras_ssp.export_front(sources, folder, picks={"eco": "w30"})
    assert labels == {"eco": 3}
    front = json.loads((folder / "front.json").read_text())
    assert front["labels"] == {"eco": 3}
    with pytest.raises(ValueError, match="`picks` must hold"):
        keras_ssp.export_front(sources, folder, picks={"eco": "cheap"})
    with pytest.raises(FileNotFoundError, match="`source` must be the folder"):
        keras_ssp.export_front(tmp_path, folder)


def test_the_server_of_the_command_line(runs, tmp_path):
    """A real process: it answers, is killed, starts again, and nothing is lost."""
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("starlette")
    keras_ssp.export(network()[0], tmp_path / "small" / "1")
    _, x = network()
    body = {"instances": x[:1].tolist()}
    command = [sys.executable, "-m", "keras_ssp", "serve", str(tmp_path)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"http://127.0.0.1:{port}"

    def start():
        return subprocess.Popen(
            [*command, "--port", port], stderr=subprocess.PIPE, env=environment
        )

    def ask():
        try:
            return httpx.post(f"{address}/v1/models/small:predict", json=body)
        except httpx.TransportError:
            return None  # a client that tries again

    process = start()
    try:
        first = until(ask, 60)
        assert first.status_code == 200
        process.kill()
        process.wait()
        assert ask() is None
        process.stderr.close()
        process = start()
        again = until(ask, 60)
        assert again.status_code == 200 and again.json() == first.json()
        process.terminate()
        assert process.wait(60) == 0 or process.returncode < 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
