"""A user's own data and prices from the command line."""

import json
import pathlib

import numpy as np
import pytest

from keras_ssp import cli


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return cli.main([str(a) for a in arguments])


def test_train_on_a_file_and_report_where_it_has_moved_to(capsys):
    x = np.random.default_rng(0).integers(0, 256, (60, 8, 8))
    x[::2, :, :4] //= 8
    np.savez("mine.npz", x=x, y=["left", "none"] * 30)
    pathlib.Path("prices.toml").write_text("ac_pj = 0.5\nmac_pj = 2.0\n")
    small = ("--width", 0.25, "--epochs", 1, "--batch-size", 16, "-q")
    status = run("train", "--data", "mine.npz", "--energy-model", "prices.toml", *small)
    assert status == 0
    (folder,) = pathlib.Path("runs").iterdir()
    assert folder.name.startswith("mine_small_cnn_none_w0.25")
    assert "energy-model-prices" in folder.name
    kept = json.loads((folder / "energy.json").read_text())
    assert kept["energy_model"]["ac_pj"] == 0.5
    capsys.readouterr()
    pathlib.Path("mine.npz").rename("moved.npz")
    assert run("report", folder) == 2
    assert "'mine.npz', which does not exist" in capsys.readouterr().err
    assert run("report", folder, "--data", "moved.npz", "--format", "json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["layers"] == kept["layers"]
    assert not [note for note in again["notes"] if "trained on" in note]
    assert run("export", folder, "--data", "moved.npz", "--to", "saved/mine") == 0
    card = json.loads(
        pathlib.Path("saved/mine/1/assets.extra/energy_card.json").read_text()
    )
    assert "left" in json.dumps(card)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--data", "none.npz"), "'none.npz', which does not exist"),
        (("--data", "photos/"), "'photos/', which does not exist"),
        (("--data", "tfds:none", "--data-dir", "."), "Data set 'none' of tensorflow-d"),
        (("--data", "digitz"), "Did you mean 'digits'"),
        (("--energy-model", "none.toml"), "'none.toml', which does not exist"),
        (("--energy-model", "cmos46"), "Did you mean 'cmos45'"),
    ],
)
def test_what_is_missing_is_said_at_once_and_nothing_is_made(arguments, text, capsys):
    assert run("train", *arguments) == 2
    error = capsys.readouterr().err
    assert text in error and len(error.strip().splitlines()) == 1
    assert not list(pathlib.Path().iterdir())
