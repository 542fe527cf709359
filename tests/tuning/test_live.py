"""How far a search is, from its folder alone."""

import io
import re
import shutil
import time

import pytest
from rich.console import Console

from keras_ssp.tuner.results import read_search
from tests.tuning.helpers import write_search
from tuning.live import duration, status_table, watching


def table_of(folder, **options):
    return dict(status_table(read_search(folder), **options).rows)


def test_status_of_a_search_under_way(tmp_path):
    write_search(tmp_path, 12, running=2, failed=1, stopped=None)
    rows = table_of(tmp_path)
    results = read_search(tmp_path)
    assert rows["trials"] == "9 of 12 completed, 1 failed, 2 running"
    best = max(results.completed, key=lambda t: t.metrics["val_accuracy"])
    assert rows["best accuracy"].endswith(f"(trial {best.trial})")
    cheapest = min(results.completed, key=lambda t: t.metrics["val_synaptic_energy_pj"])
    assert rows["least synaptic energy"].endswith(f"(trial {cheapest.trial})")
    assert rows["knee"].endswith(f"(trial {results.pick('knee').trial})")
    assert rows["hypervolume"] == f"{results.hypervolume_history[-1]:.4g}"
    # Two trials are left and run side by side, 8 s each.
    assert rows["time left"] == "about 8 s"
    # The clock goes on between two writes of the tuner.
    later = table_of(tmp_path, now=time.time() + 3600)
    assert later["time"].startswith("1 h 1 min")


def test_status_at_the_ends(tmp_path):
    rows = table_of(write_search(tmp_path / "a", 1, failed=0, running=1, stopped=None))
    assert rows["best accuracy"] == rows["knee"] == rows["hypervolume"] == "-"
    assert rows["time left"] == "unknown"
    rows = table_of(write_search(tmp_path / "b", 4, running=0))
    assert rows["time left"] == "none" and rows["stopped after"] == "max_trials"
    assert rows["time"] == "32 s"


def test_duration():
    found = [duration(s) for s in (0.4, 59.4, 59.6, 3599.9, 86_400)]
    assert found == ["0 s", "59 s", "1 min 0 s", "1 h 0 min", "24 h 0 min"]


@pytest.mark.parametrize("terminal", [False, True])
def test_watching(tmp_path, terminal):
    """Trials that end in the block have a line; those before it have none."""
    write_search(tmp_path, 3, failed=0, running=2, stopped=None)
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=90, color_system=None)
    with watching(tmp_path, console):
        (tmp_path / "trial_02" / "trial.json").write_text("{half a fi")
        shutil.rmtree(tmp_path / "trial_01")
        shutil.rmtree(tmp_path / "trial_02")
        write_search(tmp_path / "other", 3, failed=1, running=0, stopped=None)
        for name in ("trial_01", "trial_02"):
            shutil.copytree(tmp_path / "other" / name, tmp_path / name)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).replace("\r", "\n")
    lines = [line for line in text.splitlines() if line.startswith("Trial ")]
    assert [line.split(" (")[0] for line in lines] == [
        "Trial 01 completed",
        "Trial 02 failed",
    ]
    assert ("2 of 3 completed, 1 failed" in text) == terminal


def test_watching_what_never_begins(tmp_path):
    out = io.StringIO()
    with watching(tmp_path / "none", Console(file=out)):
        pass
    assert out.getvalue() == ""
