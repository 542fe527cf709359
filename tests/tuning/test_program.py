"""`python -m tuning`, from flags to files: real searches of a small network."""

import json
import pathlib
import subprocess
import sys

import pytest

from keras_ssp.energy import EnergyReport
from keras_ssp.training import load_run
from keras_ssp.tuner.results import read_search
from tests.tuning.helpers import write_search
from tuning.__main__ import main
from tuning.plan import read_plan

ROOT = pathlib.Path(__file__).parents[2]
SPACE = """
    [train]
    width = 0.25
    epochs = 1
    time_steps = 1

    [search]
    weight = { low = 0.1, high = 10.0, sampling = "log" }

    [objectives]
    val_accuracy = { reference = 0.01 }
    val_synaptic_energy_pj = { reference = 1e6 }
"""


def run(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A finished search of two trials; its folder, and the file of its space."""
    folder = tmp_path_factory.mktemp("searched")
    space = folder / "tiny.toml"
    space.write_text(SPACE)
    flags = ["--trials", 2, "--sampler", "halton", "--out", folder / "runs" / "tiny"]
    assert run("search", space, *flags) == 0
    return folder / "runs" / "tiny", space


def test_search_writes_all_and_goes_on(searched, capsys):
    folder, space = searched
    first = read_search(folder)
    assert len(first.completed) == 2 and first.stopped
    for name in ("plan.json", "trials.csv", "front.json"):
        assert (folder / name).is_file()
    flags = ["--trials", 3, "--sampler", "halton", "--out", folder]
    assert run("search", space, *flags) == 0
    out = capsys.readouterr().out
    results = read_search(folder)
    assert [t.trial for t in results.trials][:2] == [t.trial for t in first.trials]
    assert [t.seconds for t in results.trials][:2] == [t.seconds for t in first.trials]
    assert len(results.completed) == 3
    assert out.count("Trial ") == 1  # only the new one
    assert "3 trials measured" in out and "| trial | accuracy" in out
    assert read_plan(folder).max_trials == 3

    assert run("search", space, "--set", "epochs=2", "--out", folder) == 2
    error = capsys.readouterr().err
    assert "error: `train` must be that of the search to go on with" in error
    assert run("search", space, "--seeds", 2, "--out", folder) == 2
    assert "error: `seeds` must be that" in capsys.readouterr().err
    assert read_search(folder).completed == results.completed
    assert read_plan(folder).seeds == 1


def test_status_and_report(searched, capsys):
    folder, _ = searched
    assert run("status", folder) == 0
    assert "completed, 0 failed, 0 running" in capsys.readouterr().out
    (folder / "trials.csv").unlink()
    assert run("report", folder) == 0
    assert "trials measured" in capsys.readouterr().out
    assert (folder / "trials.csv").is_file()


def test_export_takes_the_trials_network(searched, tmp_path, capsys):
    folder, _ = searched
    trial = read_search(folder).pick("knee")
    out = tmp_path / "saved_models" / "tiny"
    assert run("export", folder, "--out", out, "--verbose", 0) == 0
    assert "test accuracy" in capsys.readouterr().out
    assert (out / "1" / "saved_model.pb").is_file()
    kept = out / "1" / "assets.extra"
    assert {path.name for path in kept.iterdir()} == {
        *("model.keras", "energy.json", "energy.md", "pick.json", "energy_card.json"),
    }
    pick = json.loads((kept / "pick.json").read_text())
    assert pick["trial"] == trial.trial and pick["pick"] == "knee"
    assert pick["config"]["weight"] == trial.values["weight"]
    report = EnergyReport.from_dict(json.loads((kept / "energy.json").read_text()))
    assert report.samples == 539  # the test part
    again = load_run(kept / "model.keras", data="digits").report()
    assert again.synops == pytest.approx(report.synops, rel=1e-6)
    assert pick["test"]["synops"] == pytest.approx(report.synops)

    # A budget between the cheapest and the next one; trained again, it is the same.
    cheapest = read_search(folder).front[0]
    budget = f"budget={cheapest.metrics['val_synaptic_energy_pj'] * 1.0001}pJ"
    flags = ["--pick", budget, "--retrain", "--out", out, "--verbose", 0]
    assert run("export", folder, *flags) == 0
    pick = json.loads((out / "2" / "assets.extra" / "pick.json").read_text())
    assert pick["trial"] == cheapest.trial and pick["retrained"]
    assert pick["test"]["validation_accuracy"] == pytest.approx(
        cheapest.metrics["val_accuracy"], abs=0.02
    )


def test_export_refuses(searched, tmp_path, capsys):
    folder, _ = searched
    out = ["--out", tmp_path / "out", "--verbose", 0]
    for pick, message in (
        ("budget=1fJ", "`budget` must be at least"),
        ("elbow", "`which` must be 'knee'"),
    ):
        assert run("export", folder, "--pick", pick, *out) == 2
        assert f"python -m tuning export: error: {message}" in capsys.readouterr().err
    # A search that was not made by this program tells neither data nor config.
    other = write_search(tmp_path / "other")
    assert run("export", other, *out) == 2
    assert "`data` must be given" in capsys.readouterr().err
    assert run("export", other, "--retrain", "--data", "digits", *out) == 2
    assert "`retrain` must only" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["search", "nothing"], "search: error: `space` must be one of digits"),
        (["search", "digits", "--workers", "0"], "`workers` must be a positive"),
        (["search", "digits", "--trials", "0"], "`max_trials` must be a positive"),
        (["search", "digits", "--set", "epoch=1"], "Did you mean 'epochs'?"),
        (["status", "nothing"], "status: error: `folder` must be the folder"),
        (["report", "nothing"], "report: error: `folder` must be the folder"),
        (["search", "digits", "--import", "no_such_module"], "no_such_module"),
    ],
)
def test_errors(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not any(tmp_path.rglob("trial_*"))


def test_overwrite_only_throws_searches_away(tmp_path, capsys):
    (tmp_path / "precious.txt").touch()
    flags = ["--overwrite", "--out", tmp_path]
    assert run("search", "digits", *flags) == 2
    assert "`overwrite` must only" in capsys.readouterr().err
    assert (tmp_path / "precious.txt").exists()


@pytest.mark.parametrize("command", ["", "search", "status", "report", "export"])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as found:
        main([*command.split(), "--help"])
    assert found.value.code == 0
    out = capsys.readouterr().out
    assert "usage: python -m tuning" in out
    assert not command or "xample" in out


@pytest.mark.slow
def test_as_a_module():
    found = subprocess.run(
        [sys.executable, "-m", "tuning", "status", "nothing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2
    assert "python -m tuning status: error:" in found.stderr
