"""The benchmarks run, beside nothing else; shares and exponents by hand."""

import sys

import pytest

from benchmarks import results
from benchmarks.cases import NETWORKS, Case, network_of
from benchmarks.driver import Measured, measure

CASE = Case(part="neuron", steps=5, batch=3, shape=(7,))


def measured(contender, run, *seconds):
    return Measured(
        contender=contender, case=CASE, run=run, seconds=[*seconds], first=1.0
    )


def test_share_is_of_the_quickest_copy():
    found = [
        measured("a", "copy", 4.0, 2.0),
        measured("b", "copy", 1.0),
        measured("a", "train", 5.0, 10.0),
        measured("a", "forward", 4.0),
    ]
    assert results.share_of_copy(found, found[2]) == 2.5 * 1.0 / 5.0
    assert results.share_of_copy(found, found[3]) == 1.0 / 4.0


def test_exponent():
    assert results.exponent([1, 2, 4], [3.0, 12.0, 48.0]) == pytest.approx(2.0)


def test_every_network_begins_its_time_once():
    for name in NETWORKS:
        assert network_of(name).count(("time",)) == 1


def test_this_package_is_measured_without_others(tmp_path):
    said = []
    found, versions = measure(
        CASE,
        rounds=2,
        memory=False,
        only=lambda contender: contender.backend == "tensorflow",
        say=said.append,
    )
    assert [(m.run, len(m.seconds)) for m in found] == [
        ("forward", 2),
        ("train", 2),
        ("copy", 2),
    ]
    assert not said and list(versions) == ["keras_ssp, TensorFlow"]
    results.write(found, tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text().count("keras_ssp, TensorFlow") == 3
    assert "| keras_ssp, TensorFlow |" in results.share_table(found)
    results.draw(found, tmp_path / "shares.png")
    assert (tmp_path / "shares.png").stat().st_size > 10_000


def test_what_is_not_there_is_left_out_and_said():
    said = []
    found, _ = measure(
        CASE,
        peers=sys.executable,
        rounds=1,
        only=lambda contender: contender.name == "Spyx",
        say=said.append,
    )
    assert not found and "Spyx" in said[0]
