"""Runs all contenders side by side: a process each, their repeats interleaved."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from benchmarks.cases import Case
from benchmarks.contenders import CONTENDERS, Contender

ROOT = pathlib.Path(__file__).parent.parent
#: A repeat takes at least so long; what is quicker is run several times in one.
_LEAST_SECONDS = 0.02
# So that memory which a step gives back is there for the next one: otherwise each new
# array costs a page fault every 4 KiB, which is dearer than all that is computed, and
# what is timed is the kernel of the operating system.
_KEEP = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}
#: So that the size of the process is that of what it holds. (On Intel's processors
#: TensorFlow has oneDNN's allocator, which keeps what is freed: a step would need 0.)
_GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": str(2**16), "TF_ENABLE_ONEDNN_OPTS": "0"}


@dataclasses.dataclass(kw_only=True)
class Measured:
    """Seconds of each repeat of one run of one contender.

    Args:
        contender: Its name.
        case: What was run.
        run: `"forward"`, `"train"` or `"copy"`.
        seconds: A number for each repeat.
        first: Seconds of the first call, which traces and compiles.
        bytes: Memory that a run needs at its highest, if it could be read.
    """

    contender: str
    case: Case
    run: str
    seconds: list[float]
    first: float
    bytes: int | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        return min(self.seconds)


class Worker:
    """A contender's process."""

    def __init__(
        self, contender: Contender, python: str, device: str, memory: Mapping[str, str]
    ) -> None:
        self.contender = contender
        environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONPATH=str(ROOT))
        if device == "cpu":
            environment |= {**memory, "CUDA_VISIBLE_DEVICES": ""}
        else:  # several processes share it
            environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        if contender.backend:
            environment["KERAS_BACKEND"] = contender.backend
        self._errors = tempfile.TemporaryFile(mode="w+")
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", contender.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            cwd=ROOT,
        )

    def ask(self, **command: Any) -> dict[str, Any]:
        """Sends a command and waits for the answer."""
        self.send(**command)
        return self.answer()

    def send(self, **command: Any) -> None:
        """Sends a command."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(command), file=self._process.stdin, flush=True)

    def answer(self) -> dict[str, Any]:
        """Waits for the answer to a command that was sent."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._errors.seek(0)
            last = self._errors.read().strip().splitlines()[-1:]
            return {"error": f"The process ended. {' '.join(last)}"[:300]}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()  # closes the pipes, too
        self._errors.close()


@contextlib.contextmanager
def workers(
    contenders: Sequence[Contender],
    peers: str,
    device: str,
    memory: Mapping[str, str] = MappingProxyType(_KEEP),
) -> Iterator[list[Worker]]:
    """A process for each contender, this package's in this environment."""
    started: list[Worker] = []
    try:
        for contender in contenders:
            python = sys.executable if contender.ours else peers
            started.append(Worker(contender, python, device, memory))
        yield started
    finally:
        for worker in started:
            worker.end()


def measure(
    case: Case,
    *,
    peers: str = "",
    device: str = "cpu",
    rounds: int = 10,
    only: Callable[[Contender], bool] = lambda contender: True,
    memory: bool = True,
    say: Callable[[str], None] = print,
) -> tuple[list[Measured], dict[str, Any]]:
    """Times one case with all contenders; each round runs each of them once.

    Args:
        case: The case.
        peers: The Python of the environment with the other packages; without it, only
            this package is measured.
        device: `"cpu"` or `"gpu"`.
        rounds: Repeats.
        only: Which contenders.
        memory: Whether memory is measured, too: on CPUs in processes of their own.
        say: Where it says who is left out and why.

    Returns:
        What was measured, and versions.
    """
    chosen = [
        c
        for c in CONTENDERS
        if c.takes(case.part, case.steps) and only(c) and (c.ours or peers)
    ]
    found: list[Measured] = []
    versions: dict[str, Any] = {}
    with workers(chosen, peers, device) as started:
        ready: list[tuple[Worker, Measured, int]] = []
        for worker in started:  # all at once: each imports for seconds
            worker.send(do="load", case=case.to_dict())
        for worker in started:
            name = worker.contender.name
            answer = worker.answer()
            if "error" in answer:
                say(f"left out of {case.name}: {name}. {answer['error']}")
                continue
            versions[name] = answer["versions"]
            for run in answer["runs"]:
                warm = worker.ask(do="warm", run=run)
                if "error" in warm:
                    say(f"left out of {case.name}: {name}, {run}. {warm['error']}")
                    break
                once = worker.ask(do="time", run=run, times=1)["seconds"]
                measured = Measured(
                    contender=name,
                    case=case,
                    run=run,
                    seconds=[],
                    first=warm["seconds"],
                )
                if device == "gpu":  # its allocator counts what is in use
                    measured.bytes = worker.ask(do="peak", run=run).get("bytes")
                found.append(measured)
                ready.append((worker, measured, max(1, int(_LEAST_SECONDS / once))))
        for _ in range(rounds):
            for worker, measured, times in ready:
                answer = worker.ask(do="time", run=measured.run, times=times)
                if "seconds" in answer:
                    measured.seconds.append(answer["seconds"])
    if device == "cpu" and memory:
        _measure_memory(found, chosen, peers, device)
    return [m for m in found if m.seconds], versions


def _measure_memory(
    found: list[Measured], chosen: Sequence[Contender], peers: str, device: str
) -> None:
    """Fills in the memory, in processes of their own that give back what is free."""
    for contender in chosen:
        mine = [m for m in found if m.contender == contender.name and m.run != "copy"]
        for measured in mine:
            with workers([contender], peers, device, _GIVE_BACK) as (worker,):
                worker.ask(do="load", case=measured.case.to_dict())
                worker.ask(do="warm", run=measured.run)
                measured.bytes = worker.ask(do="peak", run=measured.run).get("bytes")
