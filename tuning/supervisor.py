"""Processes that are started, watched, and started again where they die."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from keras_ssp.tuner.records import RUNNING
from keras_ssp.tuner.results import SearchResults, read_search

#: Exit status of a worker that wants to be started again.
AGAIN = 75
# Times in a row that a process may die without any trial having ended meanwhile.
_DEATHS = 5
# Seconds before it is started again: doubled each time, up to the second number.
_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# Seconds that workers have to leave after their chief, and all have when told to.
_FAREWELL, _TERMINATION = 20.0, 15.0
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def supervise(
    chief: Program,
    workers: Sequence[Program],
    folder: pathlib.Path,
    *,
    say: Callable[[str], object] = print,
) -> bool:
    """Runs a chief and its workers to the end of their search.

    One that dies is started again, and so is one that leaves before the end. What they
    print goes to `logs/` in the folder. A signal to stop is passed on to them.

    Args:
        chief: The program of the chief.
        workers: Those of the workers.
        folder: The folder of the search.
        say: Called with a line where something happened.

    Returns:
        Whether the search is complete.

    Raises:
        KeyboardInterrupt: If it was interrupted (SIGINT, SIGTERM), after the processes
            have been told and have left.
    """
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    head, *hands = (_Process(program, logs) for program in (chief, *workers))
    with _interruptible():
        try:
            return _supervise(head, hands, _Search(folder), say)
        finally:
            _stop([*hands, head])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """What is to be run.

    Args:
        name: What its log is called.
        command: Program and arguments.
        env: Environment variables that it has besides those of this process.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]


def _supervise(
    chief: _Process,
    workers: Sequence[_Process],
    search: _Search,
    say: Callable[[str], object],
) -> bool:
    """Starts and restarts until the chief has left in good order."""
    for process in (chief, *workers):
        process.start()
    while True:
        for process in (chief, *workers):
            status = process.left()
            if status is None:
                continue
            over = search.over()
            if process is chief and (status == 0 or (over and status > 0)):
                _wait(workers, _FAREWELL)
                if status:
                    say(process.last_words())
                return status == 0
            if over and status == 0:
                continue  # a worker that was told of the end
            willing = status == AGAIN or status == 0
            if not willing and not process.mourn(status, search.ended(), say):
                return False
            process.start_later(immediately=willing)
        time.sleep(0.5)


class _Search:
    """How far the search in a folder is."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def _read(self) -> SearchResults | None:
        try:
            return read_search(self._folder)
        except FileNotFoundError:
            return None

    def ended(self) -> int:
        """How many trials have ended."""
        found = self._read()
        trials = found.trials if found else ()
        return sum(trial.status != RUNNING for trial in trials)

    def over(self) -> bool:
        """Whether it has stopped."""
        found = self._read()
        return found is not None and found.stopped is not None


class _Process:
    """A process that may be started many times."""

    def __init__(self, program: Program, logs: pathlib.Path) -> None:
        self.name = program.name
        self._program = program
        self._log = logs / f"{program.name}.log"
        self._running: subprocess.Popen[bytes] | None = None
        self._start_at: float | None = None
        self._deaths = 0
        self._ended = -1  # trials, when it died last

    def start(self) -> None:
        """Starts it; what it prints is added to its log."""
        self._start_at = None
        with open(self._log, "ab") as log:
            self._running = subprocess.Popen(
                list(self._program.command),
                env={**os.environ, **self._program.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C comes through this one alone
                preexec_fn=_die_with_parent,
            )

    def left(self) -> int | None:
        """Its exit status when it has just left, else `None`; starts it when due."""
        if self._start_at is not None and time.monotonic() >= self._start_at:
            self.start()
        if self._running is None:
            return None
        status = self._running.poll()
        if status is not None:
            self._running = None
        return status

    def mourn(self, status: int, ended: int, say: Callable[[str], object]) -> bool:
        """Says that it died; whether there is hope for it, with trials ended since."""
        self._deaths = self._deaths + 1 if ended == self._ended else 1
        self._ended = ended
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if self._deaths >= _DEATHS:
            say(f"{self.name} died {self._deaths} times in a row ({how}).")
            say(self.last_words())
            return False
        say(f"{self.name} died ({how}) and is started again.")
        return True

    def start_later(self, *, immediately: bool) -> None:
        """Has it started again, after a pause that grows with its deaths."""
        pause = min(_PAUSE * 2 ** max(0, self._deaths - 1), _LONGEST_PAUSE)
        self._start_at = time.monotonic() + (0.0 if immediately else pause)

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return "\n".join([f"The end of {self._log}:", *text.splitlines()[-lines:]])

    def alive(self) -> bool:
        """Whether it runs."""
        return self._running is not None and self._running.poll() is None

    def send(self, number: int) -> None:
        """Sends it a signal, if it runs."""
        self._start_at = None
        if self._running is not None:
            with contextlib.suppress(ProcessLookupError):
                self._running.send_signal(number)


def _die_with_parent() -> None:
    # Or two chiefs would write to one folder, after a `kill -9` and a new start.
    if _LIBC is not None:
        _LIBC.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _wait(processes: Sequence[_Process], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while any(p.alive() for p in processes) and time.monotonic() < until:
        time.sleep(0.1)
    return not any(p.alive() for p in processes)


def _stop(processes: Sequence[_Process]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            if process.alive():
                process.send(number)
        if _wait(processes, _TERMINATION):
            return


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Makes SIGTERM what a Ctrl-C is: a reason to stop the processes, and to leave."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # others cannot
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
