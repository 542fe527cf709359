"""Who starts whom, and what happens when one dies: with programs of a few lines."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest

from keras_ssp._environment import environment
from tests.tuning.helpers import write_search
from tuning.processes import (
    chief_environment,
    local_programs,
    visible_gpus,
    worker_count,
    worker_id,
)
from tuning.supervisor import AGAIN, Program, supervise

# Each start of a program is a line in `starts-NAME`; `count` is how many there are.
PROLOGUE = """
import json, os, pathlib, signal, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
with open(folder / f"starts-{name}", "a") as log:
    print(os.getpid(), file=log)
count = len((folder / f"starts-{name}").read_text().splitlines())
def until(condition):
    while not condition():
        time.sleep(0.02)
"""


def program(folder, name, code, **env):
    text = PROLOGUE + textwrap.dedent(code)
    command = [sys.executable, "-c", text, str(folder), name]
    return Program(name=name, command=command, env=env)


def starts(folder, name):
    return (folder / f"starts-{name}").read_text().split()


def run(folder, chief, *workers):
    said = []
    programs = [program(folder, f"worker-{k}", code) for k, code in enumerate(workers)]
    head = program(folder, "chief", chief)
    complete = supervise(head, programs, folder, say=said.append)
    return complete, "\n".join(said)


@pytest.fixture
def search(tmp_path):
    """A search with three trials that have ended, and that goes on."""
    write_search(tmp_path, 3, failed=0, running=0, stopped=None)
    return tmp_path


OVER = """
search = json.loads((folder / "search.json").read_text())
(folder / "new").write_text(json.dumps({**search, "stopped": "3 trials"}))
os.replace(folder / "new", folder / "search.json")
"""


def test_a_worker_that_dies_is_started_again(search):
    chief = f"until(lambda: (folder / 'done').exists()){OVER}"
    worker = """
        if count < 3:
            os.kill(os.getpid(), signal.SIGKILL) if count == 1 else sys.exit(1)
        (folder / "done").touch()
    """
    complete, said = run(search, chief, worker)
    assert complete
    assert len(starts(search, "worker-0")) == 3 and len(starts(search, "chief")) == 1
    assert "worker-0 died (signal 9) and is started again." in said
    assert "worker-0 died (exit status 1)" in said


def test_a_chief_that_dies_is_started_again(search):
    chief = "if count < 3: os.kill(os.getpid(), signal.SIGTERM)" + OVER
    worker = (
        "until(lambda: json.loads((folder / 'search.json').read_text())['stopped'])"
    )
    complete, _ = run(search, chief, worker, worker)
    assert complete
    assert len(starts(search, "chief")) == 3
    assert len(starts(search, "worker-0")) == len(starts(search, "worker-1")) == 1


@pytest.mark.slow
def test_a_worker_that_wants_to_be_recycled_is(search):
    chief = f"until(lambda: (folder / 'done').exists()){OVER}"
    worker = f"""
        if count < 20:
            sys.exit({AGAIN} if count % 2 else 0)
        (folder / "done").touch()
    """
    complete, said = run(search, chief, worker)
    assert complete and not said
    assert len(starts(search, "worker-0")) == 20


@pytest.mark.parametrize("broken", ["chief", "worker"])
def test_what_always_dies_is_given_up(search, broken, monkeypatch):
    monkeypatch.setattr("tuning.supervisor._PAUSE", 0.05)
    wait, die = "time.sleep(1000)", "print('no such module'); sys.exit(3)"
    roles = (die, wait) if broken == "chief" else (wait, die)
    complete, said = run(search, *roles)
    assert not complete
    name = "chief" if broken == "chief" else "worker-0"
    assert len(starts(search, name)) == 5
    assert f"{name} died 5 times in a row (exit status 3)." in said
    assert "no such module" in said
    other = "worker-0" if broken == "chief" else "chief"
    for pid in starts(search, other):
        assert not alive(int(pid))


def test_a_worker_that_makes_progress_between_deaths_is_not_given_up(
    search, monkeypatch
):
    monkeypatch.setattr("tuning.supervisor._PAUSE", 0.05)
    chief = f"until(lambda: (folder / 'done').exists()){OVER}"
    worker = """
        if count <= 8:
            trial = folder / "trial_00" / "trial.json"
            more = folder / f"trial_{10 + count}"
            more.mkdir()
            (more / "trial.json").write_text(
                trial.read_text().replace('"00"', f'"{10 + count}"'))
            sys.exit(1)
        (folder / "done").touch()
    """
    complete, _ = run(search, chief, worker)
    assert complete
    assert len(starts(search, "worker-0")) == 9


def test_a_search_without_a_completed_trial_is_not_run_again_and_again(search):
    complete, said = run(search, OVER + "print('no trial'); sys.exit(2)", "")
    assert not complete
    assert len(starts(search, "chief")) == 1 and "no trial" in said


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


PARENT = """
    import pathlib, signal, sys
    from tests.tuning.test_supervisor import program
    from tuning.supervisor import supervise
    # A shell that runs tests in the background lets them ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = pathlib.Path(sys.argv[1])
    sleep = "signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(1000)"
    workers = [program(folder, f"worker-{k}", sleep) for k in range(2)]
    try:
        supervise(program(folder, "chief", sleep), workers, folder)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_who_stops_the_parent_stops_all(search, number):
    names = ("chief", "worker-0", "worker-1")
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(search)]
    )
    until(lambda: all((search / f"starts-{name}").exists() for name in names), 120)
    until(lambda: all(starts(search, name) for name in names))
    pids = [int(pid) for name in names for pid in starts(search, name)]
    assert len(pids) == 3 and all(alive(pid) for pid in pids)
    parent.send_signal(number)
    expected = -signal.SIGKILL if number == signal.SIGKILL else 130
    assert parent.wait(60) == expected
    until(lambda: not any(alive(pid) for pid in pids))


def until(condition, seconds=30.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_each_worker_has_a_gpu_and_its_share_of_the_cores(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    chief, workers = local_programs(["chief"], ["worker"], 3)
    assert [w.env["CUDA_VISIBLE_DEVICES"] for w in workers] == ["2", "5", "2"]
    assert chief.env["CUDA_VISIBLE_DEVICES"] == "-1"
    assert len({w.env["KERASTUNER_TUNER_ID"] for w in workers}) == 3
    cores = len(os.sched_getaffinity(0))
    for worker in workers:
        assert worker.env["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
        assert worker.env["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
        assert int(worker.env["OMP_NUM_THREADS"]) == max(1, cores // 3)
    assert len(local_programs(["chief"], ["worker"])[1]) == 2  # one for each GPU
    monkeypatch.setenv("OMP_NUM_THREADS", "7")  # who sets it wants it so
    assert "OMP_NUM_THREADS" not in local_programs(["c"], ["w"])[1][0].env


@pytest.mark.parametrize("named", ["", "-1"])
def test_gpus_that_are_hidden_are_not_used(monkeypatch, named):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == []
    assert worker_count("auto") == max(1, len(os.sched_getaffinity(0)) // 2)


def test_gpus_are_counted_by_nvidia_smi(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    smi = tmp_path / "nvidia-smi"
    lines = "GPU 0: One (UUID: GPU-1)\n  MIG 1g.10gb\nGPU 1: Two (UUID: GPU-2)"
    smi.write_text(f"#!/bin/sh\necho '{lines}'\n")
    smi.chmod(0o755)
    assert visible_gpus() == ["0", "1"]


@pytest.mark.parametrize("workers", [0, -1, 1.5, "two"])
def test_a_number_of_workers_that_is_none(workers):
    with pytest.raises(ValueError, match="`workers` must be a positive integer"):
        worker_count(workers)


CLUSTER = ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_PROCID")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "host-3"),
        ({"JOB_COMPLETION_INDEX": "5"}, "host-5"),
        ({"SLURM_JOB_ID": "70", "SLURM_PROCID": "2"}, "slurm-70-0-2"),
        # Job id and host of an array's task change when it is requeued.
        (
            {
                "SLURM_ARRAY_JOB_ID": "70",
                "SLURM_JOB_ID": "74",
                "SLURM_ARRAY_TASK_ID": "4",
            },
            "slurm-70-4-0",
        ),
    ],
)
def test_workers_have_names_that_stay(monkeypatch, env, expected):
    for name in (*CLUSTER, "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "gethostname", lambda: "host")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert worker_id(3) == expected


def test_no_worker_is_taken_for_the_chief(monkeypatch):
    for name in CLUSTER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "gethostname", lambda: "pareto-chief-0")
    assert "chief" not in worker_id(0)


def test_environment_lasts_as_long_as_the_block(monkeypatch):
    monkeypatch.delenv("KERASTUNER_TUNER_ID", raising=False)
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "before")
    with environment(chief_environment(port=5)):
        assert os.environ["KERASTUNER_TUNER_ID"] == "chief"
        assert os.environ["KERASTUNER_ORACLE_IP"] == "127.0.0.1"
        assert os.environ["KERASTUNER_ORACLE_PORT"] == "5"
    assert "KERASTUNER_TUNER_ID" not in os.environ
    assert os.environ["KERASTUNER_ORACLE_IP"] == "before"
