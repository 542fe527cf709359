"""The command line, from flags to files."""

import contextlib
import dataclasses
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import keras
import numpy as np
import pytest

from keras_ssp import __version__, cli, datasets
from keras_ssp.cli.flags import config_values
from keras_ssp.cli.train import run_name
from keras_ssp.energy import EnergyReport
from keras_ssp.studies import demo
from keras_ssp.training.config import TrainConfig

pytest.importorskip("matplotlib")
FAST = ["--width", "0.25", "--time-steps", "2", "--epochs", "1", "--verbose", "0"]


def run(*arguments):
    return cli.main([str(a) for a in arguments])


def test_train_then_report_in_every_format(tmp_path, capsys):
    folder = tmp_path / "run"
    assert run("train", "--weight", "0.1", "--run-dir", folder, *FAST) == 0
    out = capsys.readouterr().out
    assert "Energy of 'small_cnn'" in out and "test accuracy" in out
    saved = EnergyReport.from_dict(json.loads((folder / "energy.json").read_text()))

    assert run("report", folder, "--format", "json") == 0
    found = EnergyReport.from_dict(json.loads(capsys.readouterr().out))
    assert found.synops == pytest.approx(saved.synops, rel=1e-6)
    assert found.samples == saved.samples == 539

    assert run("report", folder, "--format", "csv", "--energy-model", "loihi") == 0
    assert capsys.readouterr().out.startswith("name,kind,neurons")

    target, plot = tmp_path / "report.md", tmp_path / "report.png"
    flags = ["--format", "markdown", "--output", target, "--plot", plot]
    assert run("report", folder / "model.keras", "--samples", 20, *flags) == 0
    assert "mean of 20 samples" in target.read_text()
    assert plot.read_bytes().startswith(b"\x89PNG")

    page, both = tmp_path / "both.html", [folder, folder / "model.keras"]
    few = ["--samples", 20, "--format", "html", "--output", page]
    assert run("report", *both, "--data", "digits", *few, "--plot", plot) == 0
    assert f'<th style="text-align: right">{folder}</th>' in page.read_text()
    capsys.readouterr()
    assert run("report", *both, "--data", "digits", "--samples", 20) == 0
    assert "+0.0 %" in capsys.readouterr().out
    assert run("report", folder, "--samples", 5, "--columns", "spikes, macs") == 0
    out = capsys.readouterr().out
    assert re.search(r"\| layer +\| +spikes \| +MACs \|", out)
    assert run("report", folder, "--columns", "spike") == 2
    assert "`columns` must be one of" in capsys.readouterr().err

    for kind in ("raster", "rates", "time", "potentials"):
        assert run("spikes", folder, "--kind", kind, "--samples", "5") == 0
        assert (folder / f"spikes_{kind}.png").read_bytes().startswith(b"\x89PNG")
    assert run("spikes", folder, "--sample", "539") == 2
    assert "`sample` must be below 539" in capsys.readouterr().err

    (folder / "config.json").unlink()
    assert run("report", folder) == 2
    assert "`data` must be given" in capsys.readouterr().err
    assert run("report", folder, "--data", "digits", "--samples", 5) == 0


def test_train_on_a_budget(tmp_path, capsys):
    flags = [*FAST, "--epochs", "6", "--learning-rate", "1e-2", "--budget", "20 nJ"]
    assert run("train", "--run-dir", tmp_path, *flags) == 0
    out = capsys.readouterr().out
    assert re.search(r"budget +20 nJ, reached: .* nJ on the validation part", out)
    assert json.loads((tmp_path / "summary.json").read_text())["budget_reached"]


def test_flags_win_over_the_config_file(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('weight = 0.5\nepochs = 7\nsurrogate = "arctan"\n')
    arguments = cli.parser().parse_args(
        ["train", "--config", str(path), "--epochs", "2", "--no-normalize"]
    )
    config = TrainConfig.from_dict(config_values(arguments))
    expected = {"weight": 0.5, "epochs": 2, "surrogate": "arctan", "normalize": False}
    assert config == TrainConfig(**expected)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (TrainConfig(), "digits_small_cnn_none_s0"),
        (TrainConfig(weight=0.5, seed=2), "digits_small_cnn_synaptic_0.5_s2"),
        (TrainConfig(budget="50 nJ"), "digits_small_cnn_synaptic_budget_50nJ_s0"),
        (
            TrainConfig(activation="relu", penalty="none"),
            "digits_small_cnn_relu_s0",
        ),
        (
            TrainConfig(time_steps=8, width=0.5, epochs=3, reset="soft"),
            "digits_small_cnn_none_w0.5_T8_reset-soft_e3_s0",
        ),
    ],
)
def test_default_run_folder_tells_the_config(config, name):
    assert run_name(config) == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--weight", "-1"], "`weight` must be a finite number of at least 0"),
        (["train", "--config", "missing.toml"], "missing.toml"),
        (["report", "nowhere"], "`path` must be a run folder.*path=nowhere"),
        (
            ["report", "x.keras", "--energy-model", "abacus"],
            "`energy_model` must be one of",
        ),
        (["report", "x.keras", "--samples", "0"], "`samples` must be a positive"),
        (["compare", "missing.toml", "--out", "out"], "missing.toml"),
        (["demo", "--seeds", "0"], "`seeds` must be a positive integer"),
    ],
)
def test_errors_are_one_line_and_status_2(arguments, message, capsys):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"keras-ssp {arguments[0]}: error: ")
    assert re.search(message, error) and "Traceback" not in error


def test_folder_in_use_names_the_remedies(tmp_path, capsys):
    (tmp_path / "x").write_text("")
    assert run("train", "--run-dir", tmp_path, *FAST) == 2
    error = capsys.readouterr().err
    assert "--resume" in error and "--overwrite" in error


@pytest.mark.parametrize("command", ["demo", "train", "report", "compare"])
def test_help_of_every_command(command, capsys):
    with pytest.raises(SystemExit) as stop:
        run(command, "--help")
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "usage: keras-ssp" in out and "default: None" not in out


def test_module_runs_as_a_program():
    found = subprocess.run(
        [sys.executable, "-m", "keras_ssp", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == f"keras-ssp {__version__}"


@pytest.mark.slow  # tests/studies/test_runner.py writes them, too
def test_compare_writes_its_tables(tmp_path, capsys):
    study = tmp_path / "study.toml"
    study.write_text(
        "[train]\ntrain_samples = 128\nwidth = 0.25\ntime_steps = 2\nepochs = 1\n"
        '[grid]\npenalties = ["none", "synaptic"]\nseeds = [0]\nweights = [1.0]\n'
    )
    out = tmp_path / "out"
    flags = ["--out", out, "--verbose", "0", "--drops", "1"]
    assert run("compare", study, *flags) == 0
    printed = capsys.readouterr().out
    assert "# small_cnn on digits" in printed and "| −1 points |" in printed
    assert (out / "layers.png").read_bytes().startswith(b"\x89PNG")
    before = (out / "results.csv").read_text()
    assert run("compare", study, *flags, "--tables-only") == 0
    assert capsys.readouterr().out == printed
    assert (out / "results.csv").read_text() == before


def test_demo_prints_and_writes_what_it_says(tmp_path, monkeypatch, capsys):
    small = dataclasses.replace(demo.BASE, epochs=1, width=0.25, train_samples=256)
    monkeypatch.setattr(demo, "BASE", small)
    monkeypatch.setattr(demo, "WEIGHTS", (1.0,))
    settings = demo.run(tmp_path, seeds=1)
    assert [s.weight for s in settings] == [0.0, *demo.WEIGHTS]
    out = capsys.readouterr().out
    assert "no penalty" in out and "accuracy" in out
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *("results.csv", "summary.json"),
        *("accuracy_energy.png", "layers.png", "layers.md"),
    }
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["no penalty"] == settings[0].runs[0].summary()


def test_lambda_of_0_and_nothing_to_go_on_with_are_said(tmp_path, capsys):
    small = [*FAST[:-2], "--run-dir", tmp_path, "--resume"]
    assert run("train", *small) == 0
    out, error = capsys.readouterr()
    assert "lambda is 0, so the synaptic penalty does nothing" in error
    assert f"nothing to go on with in {tmp_path}" in error
    assert "17/17 - " in out  # a line per epoch: this is no terminal
    assert not {"\x1b", "\b", "\r"} & {*out}
    assert run("train", *small, "--epochs", "2", "-q") == 2
    error = capsys.readouterr().err
    assert "a longer training is another one. Remedy: a folder of its own" in error


@pytest.fixture
def stopping(monkeypatch):
    """A data set whose loader is interrupted, as by Ctrl-C."""
    registry = datasets.registry._DATA_SETS
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))

    @datasets.register("stopping")
    def load(data_dir):
        raise KeyboardInterrupt


@pytest.mark.parametrize("command", ["train", "compare"])
def test_who_interrupts_hears_how_to_go_on(command, stopping, tmp_path, capsys):
    study = tmp_path / "study.toml"
    study.write_text('[train]\ndata = "stopping"\n[grid]\npenalties = ["none"]\n')
    arguments = {
        "train": ["--data", "stopping", "--run-dir", tmp_path / "run"],
        "compare": [study, "--out", tmp_path / "out"],
    }[command]
    assert run(command, *arguments) == 130
    said = {"train": "command with --resume goes on", "compare": "command goes on"}
    assert f"interrupted; the same {said[command]}" in capsys.readouterr().err


@pytest.mark.parametrize("folder", [None, "nowhere"])
def test_data_that_is_not_here_is_said_and_nothing_made(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    where = [] if folder is None else ["--data-dir", tmp_path / folder]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        assert run("train", "--data", "cifar10", *where) == 2
    wanted = "'cifar10' is not on this machine" if folder is None else "be a folder"
    assert wanted in said.getvalue() and len(said.getvalue().splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_data_that_is_here_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    with pytest.raises(FileNotFoundError):
        datasets.require_local("mnist", str(tmp_path))
    (tmp_path / "mnist.npz").write_text("")
    datasets.require_local("mnist", str(tmp_path))
    prepared = tmp_path / "cifar10" / "3.0.2"
    prepared.mkdir(parents=True)
    (prepared / "dataset_info.json").write_text("{}")
    datasets.require_local("cifar10", str(tmp_path))


def test_doctor_says_what_there_is(capsys, tmp_path):
    assert run("doctor", "--data-dir", tmp_path) == 0
    out = capsys.readouterr().out
    assert re.search(rf"keras +\| {re.escape(keras.__version__)}", out)
    assert re.search(r"data: digits +\| here", out)
    assert re.search(r"data: mnist +\| not on this machine", out)


def test_nobody_reads_to_the_end():
    """`keras-ssp doctor | head -1`, as a shell runs it."""
    command = f"{sys.executable} -m keras_ssp doctor | head -1; exit ${{PIPESTATUS[0]}}"
    found = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False
    )
    assert found.returncode in (0, 141) and "roken" not in found.stderr


@pytest.mark.slow
def test_a_terminal_has_bars(tmp_path):
    """Through a pseudo-terminal of 60 columns; the table fits it."""
    command = [sys.executable, "-m", "keras_ssp", "train", *FAST[:-2]]
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    process = subprocess.Popen(
        [*command, "--run-dir", str(tmp_path)],
        stdout=inner,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),  # readline leaves COLUMNS where Python does not see it
    )
    os.close(inner)
    chunks = []
    with contextlib.suppress(OSError):  # what the end of a terminal is on Linux
        while chunk := os.read(outer, 4096):
            chunks.append(chunk)
    assert process.wait() == 0
    text = b"".join(chunks).decode()
    assert "\b" in text or "\x1b" in text
    table = [line.strip() for line in text.splitlines() if line.startswith(("|", "+"))]
    assert table and max(map(len, table)) <= 60


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_commands_flags_and_values(shell, capsys):
    pytest.importorskip("shtab")
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("train", "doctor", "--energy-model", "synops_target"):
        assert word in script


def test_completion_in_a_real_shell(tmp_path):
    pytest.importorskip("shtab")
    script = tmp_path / "complete.sh"
    with open(script, "w") as file:
        command = [sys.executable, "-m", "keras_ssp", "completion", "bash"]
        subprocess.run(command, stdout=file, check=True, timeout=120)
    ask = (
        f". {script}; COMP_WORDS=(keras-ssp train --pen); COMP_CWORD=2;"
        "_shtab_keras_ssp; echo ${COMPREPLY[@]}"
    )
    found = subprocess.run(
        ["bash", "-c", ask], capture_output=True, text=True, timeout=60
    )
    assert "--penalty" in found.stdout, found.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_said_in_one_line(capsys, tmp_path):
    from tests.helpers import small_snn

    small_snn().save(tmp_path / "model.keras")
    np.savez(tmp_path / "x.npz", x=np.zeros((20, 8, 8, 2)), y=[0, 1] * 10)
    asked = ["report", tmp_path / "model.keras", "--data", tmp_path / "x.npz", "-q"]
    assert cli.main([*map(str, asked), "--output", "/dev/full"]) == 2
    error = capsys.readouterr().err.strip()
    assert "The disk is full: make room and try again." in error
    assert len(error.splitlines()) == 1
