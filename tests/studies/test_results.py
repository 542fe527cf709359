"""Results of a study: the columns, and files of this version and of earlier ones."""

from __future__ import annotations

import dataclasses
import os
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ssp.studies import results
from keras_ssp.studies.results import COLUMNS, add_results, read_results
from tests.studies.helpers import row

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "results"
HEADER = (
    "key,series,penalty,weight,p,target,surrogate,seed,time_steps,validation_accuracy,"
    "test_accuracy,synops,synaptic_energy_pj,energy_pj,spike_rate,seconds"
)


# Those of studies; other results have columns of their own.
STUDIES = sorted(f for f in DOCS.glob("*.csv") if f.read_text().startswith("key,"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_committed_files_are_read_and_written_the_same(path, tmp_path):
    text = path.read_text()
    assert text.splitlines()[0] == HEADER == ",".join(COLUMNS)
    add_results(tmp_path / "again.csv", read_results(path))
    assert (tmp_path / "again.csv").read_text() == text
    assert path.read_text() == text


@settings(deadline=None)
@given(
    weight=st.floats(0, 1e9),
    seed=st.integers(-(2**40), 2**40),
    target=st.none() | st.floats(1e-3, 1e12),
    energy=st.floats(0, 1e15),
)
def test_every_result_survives_the_file(weight, seed, target, energy, tmp_path_factory):
    first = row("mine, with a comma", weight, seed, 0.5, energy, target=target)
    path = tmp_path_factory.mktemp("results") / "results.csv"
    add_results(path, [first])
    assert read_results(path) == [first]


def test_file_without_a_later_column_gets_it(tmp_path, monkeypatch):
    path = tmp_path / "results.csv"
    add_results(path, [row("none", 0.0, 0, 0.9, 5.0)])

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wider(results.Result):
        beta: float = 0.5

    columns = (*COLUMNS, "beta")
    monkeypatch.setattr(results, "Result", Wider)
    monkeypatch.setattr(results, "COLUMNS", columns)
    found = read_results(path)
    assert found[0].beta == 0.5
    add_results(path, [dataclasses.replace(found[0], key="other", beta=0.75)])
    assert path.read_text().startswith(f"{HEADER},beta\n")
    assert [result.beta for result in read_results(path)] == [0.5, 0.75]


def converted(key="k"):
    """The rows of one task: a network that is run for two T."""
    return [
        row("converted", 0.0, 0, 0.9, 5.0 * t, key=key, time_steps=t) for t in (2, 4)
    ]


def test_whatever_byte_a_file_is_torn_at_nothing_is_lost_or_twice(tmp_path):
    path, first, task = tmp_path / "results.csv", row("none", 0.0, 0, 0.9, 5.0), None
    add_results(path, [first])
    size, task = path.stat().st_size, converted()
    add_results(path, task)
    text = path.read_bytes()
    for cut in range(len(text)):
        path.write_bytes(text[:cut])
        found = read_results(path)
        assert (first in found) == (cut >= size)
        assert add_results(path, task) == [*found[: cut >= size], *task]
        assert read_results(path) == [*found[: cut >= size], *task]


def test_a_kill_while_writing_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "results.csv"
    add_results(path, converted())
    before = path.read_bytes()

    def killed(*names):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        add_results(path, converted("other"))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",0,2,", ",0.7,2,", "Line 2 of .*results.csv.*seed='0.7' is no int"),
        (",0.9,", ",0.#,", "Line 2 of .*results.csv.*accuracy='0.#' is no float"),
        (",converted,", "\n", "Line 2 of .*results.csv is damaged.*delete that line"),
        ("key,", "kye,", "Line 2 of .*results.csv is damaged"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, old, new, message):
    path = tmp_path / "results.csv"
    add_results(path, converted())
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        read_results(path)
