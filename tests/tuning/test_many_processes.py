"""`python -m tuning local | chief | worker`."""

import subprocess
import sys
import textwrap

import pytest

from keras_ssp.tuner import read_search
from tests.tuning.test_clusters import DOCS, SPACE
from tuning.__main__ import main, parser


def refused(capsys, *arguments):
    assert main([*map(str, arguments)]) == 2
    return capsys.readouterr().err


def test_a_worker_is_not_called_chief(capsys, tmp_path):
    said = refused(capsys, "worker", tmp_path, "--id", "chief-2")
    assert "python -m tuning worker: error: `id` of a worker must be" in said


def test_an_address_needs_a_port(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("KERASTUNER_ORACLE_PORT", raising=False)
    said = refused(capsys, "worker", tmp_path, "--address", "node1")
    assert "`port` must be given together with `address`" in said


def test_a_chief_throws_nothing_away(capsys, tmp_path):
    said = refused(capsys, "chief", "digits", "--out", tmp_path, "--overwrite")
    assert "`overwrite` must not be asked of a chief" in said


@pytest.mark.parametrize("flag", ["--workers", "--recycle"])
def test_local_takes_positive_numbers(capsys, tmp_path, flag):
    said = refused(capsys, "local", "digits", "--out", tmp_path / "a", flag, 0)
    assert f"`{flag[2:]}` must be a positive integer" in said


def test_variables_of_keras_tuner_stand_in_for_flags(monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "10.0.0.5")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "7777")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "w7")
    worker = parser().parse_args(["worker", "digits"])
    assert (worker.address, worker.port, worker.id) == ("10.0.0.5", 7777, "w7")
    given = ["worker", "digits", "--address", "b", "--port", "1", "--id", "c"]
    worker = parser().parse_args(given)
    assert (worker.address, worker.port, worker.id) == ("b", 1, "c")
    chief = parser().parse_args(["chief", "digits"])
    assert (chief.address, chief.port) == ("10.0.0.5", 7777)


def test_nobody_listens_to_the_network_unasked(monkeypatch, capsys):
    for name in ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"):
        monkeypatch.delenv(name, raising=False)
    chief = parser().parse_args(["chief", "digits"])
    assert (chief.address, chief.port) == ("127.0.0.1", 0)
    with pytest.raises(SystemExit):
        parser().parse_args(["chief", "--help"])
    assert "only in a network that you trust" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.slow
def test_local(tmp_path):
    """A chief, two workers that are recycled, and the files at the end."""
    (tmp_path / "tiny.toml").write_text(textwrap.dedent(SPACE))
    arguments = ["--trials", "4", "--workers", "2", "--recycle", "1"]
    found = subprocess.run(
        [sys.executable, "-m", "tuning", "local", tmp_path / "tiny.toml", *arguments]
        + ["--out", tmp_path / "search", "--lease", "20"],
        cwd=DOCS.parent,
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    results = read_search(tmp_path / "search")
    assert [t.status for t in results.trials] == ["completed"] * 4
    assert (tmp_path / "search" / "front.json").is_file()
    assert "4 trials measured" in found.stdout
