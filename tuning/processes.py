"""A chief and its workers: who is who, and all of them on one machine."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence

from keras_ssp._checks import positive_int
from keras_ssp._environment import THREADS
from keras_ssp._imports import import_modules
from keras_ssp.tuner.remote import AUTO
from tuning.plan import PLAN, Plan, read_plan
from tuning.supervisor import Program, supervise


def run_local(
    plan: Plan,
    workers: int | str = "auto",
    *,
    recycle: int | None = None,
    say: Callable[[str], object] = print,
) -> None:
    """Runs a search by a chief and workers on this machine, to its end.

    The chief listens on the loopback interface alone, at a free port. Each worker has
    one of the GPUs, and its share of the cores. One that dies is started again. What
    they print goes to `logs/` in the folder of the search.

    Args:
        plan: What is searched; it is written to its folder.
        workers: How many; `"auto"` is one per GPU, or one per two cores.
        recycle: Trials after which the process of a worker is started anew. Defaults
            to `None`: never.
        say: Called with a line where a process died.

    Raises:
        ValueError: If `workers` is neither `"auto"` nor a positive integer.
        RuntimeError: If the search could not be completed.
    """
    recycle = positive_int("recycle", recycle, optional=True)
    plan.write()
    python = [sys.executable, "-m", "tuning"]
    folder = str(plan.folder)
    worker = [*python, "worker", folder]
    if recycle:
        worker += ["--recycle", str(recycle)]
    programs = local_programs(
        [*python, "chief", folder, "--no-report"], worker, workers
    )
    if not supervise(*programs, plan.folder, say=say):
        raise RuntimeError(
            f"The search in {plan.folder} is not complete; {plan.folder / 'logs'} has "
            "what its processes said. It goes on when it is called again."
        )


def local_programs(
    chief: Sequence[str], worker: Sequence[str], workers: int | str = "auto"
) -> tuple[Program, list[Program]]:
    """The programs of a chief and of workers that share this machine.

    Args:
        chief: Command of the chief: any program that calls `search` of a
            `ParetoTuner`; the environment tells it what it is.
        worker: Command of a worker.
        workers: As for `run_local`.

    Raises:
        ValueError: If `workers` is neither `"auto"` nor a positive integer.
    """
    count, gpus = worker_count(workers), visible_gpus()
    threads = dict.fromkeys(THREADS, str(max(1, _cores() // count)))
    threads = {k: v for k, v in threads.items() if k not in os.environ}
    found = []
    for k in range(count):
        gpu = gpus[k % len(gpus)] if gpus else None
        env = {**threads, **worker_environment(worker_id(k), gpu=gpu)}
        found.append(Program(name=f"worker-{k}", command=worker, env=env))
    return Program(name="chief", command=chief, env=chief_environment()), found


def visible_gpus() -> list[str]:
    """The GPUs that processes of this one may use, as `CUDA_VISIBLE_DEVICES` has them.

    Without that variable, those that `nvidia-smi` lists.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        found = [name.strip() for name in named.split(",")]
        return [name for name in found if name and name != "-1"]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(k) for k in range(len(lines))] if listed.returncode == 0 else []


def worker_count(workers: int | str) -> int:
    """How many workers there are to be; `"auto"` is one per GPU, or per two cores."""
    if workers == "auto":
        return len(visible_gpus()) or max(1, _cores() // 2)
    count: int = positive_int("workers", workers)
    return count


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # what a batch system grants
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_id(index: int | str | None = None) -> str:
    """A name that no other worker of a search has, and that a restarted one keeps.

    Under Slurm it is made of the numbers of the job, the array task and the process;
    in an indexed job of Kubernetes of the host's name and the index; else of the
    host's name and `index`, by default its GPU, or the number of the process, which a
    restarted one does not keep.
    """
    if index is None:
        index = os.environ.get("CUDA_VISIBLE_DEVICES") or os.getpid()
    env = os.environ
    job = env.get("SLURM_ARRAY_JOB_ID") or env.get("SLURM_JOB_ID")
    if job:
        numbers = (env.get("SLURM_ARRAY_TASK_ID", "0"), env.get("SLURM_PROCID", "0"))
        name = "-".join(["slurm", job, *numbers])
    else:
        name = f"{socket.gethostname()}-{env.get('JOB_COMPLETION_INDEX', index)}"
    # Keras Tuner takes every process with this word in its name for the chief.
    return name.replace("chief", "head")


def plan_in(folder: pathlib.Path) -> Plan:
    """The plan in the folder of a search; imports first what its names need."""
    values = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    import_modules(values.get("imports", ()))
    return read_plan(folder)


def chief_environment(address: str = "127.0.0.1", port: int = 0) -> dict[str, str]:
    """What makes a process the chief; it needs no GPU."""
    return {
        "KERASTUNER_TUNER_ID": "chief",
        "KERASTUNER_ORACLE_IP": address,
        "KERASTUNER_ORACLE_PORT": str(port),
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
    }


def worker_environment(
    name: str, address: str = AUTO, port: int | str = 0, gpu: str | None = None
) -> dict[str, str]:
    """What makes a process a worker that shares its GPU with others."""
    found = {
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": address,
        "KERASTUNER_ORACLE_PORT": str(port),
        # Memory as it is needed, or the first one on a GPU takes all of it.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    return found if gpu is None else {**found, "CUDA_VISIBLE_DEVICES": gpu}
