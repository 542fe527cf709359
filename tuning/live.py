"""How far a search is, read from its folder: the same for one process and for many."""

from __future__ import annotations

import contextlib
import math
import pathlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live

from keras_ssp.tables import Column, Table
from keras_ssp.tuner.records import COMPLETED, FAILED, RUNNING, TrialRecord
from keras_ssp.tuner.results import SEARCH, SearchResults, read_search
from tuning.metrics import knee_of, metric

_EVERY = 1.0  # seconds from one look at the folder to the next


def status_table(results: SearchResults, *, now: float | None = None) -> Table:
    """How far a search is: trials, the best of them, hypervolume, time.

    Args:
        results: The search.
        now: The time, in seconds since 1970. Defaults to now.
    """
    elapsed = _elapsed(results, time.time() if now is None else now)
    history = results.hypervolume_history
    rows = [
        ("trials", _trials(results)),
        (f"best {metric(results.quality.name).name}", _best(results)),
        (f"least {metric(results.cost.name).name}", _cheapest(results)),
        ("knee", _one(results, knee_of(results))),
        ("hypervolume", f"{history[-1]:.4g}" if history else "-"),
        ("time", duration(elapsed)),
        ("time left", results.stopped and "none" or _left(results, elapsed)),
    ]
    if results.stopped:
        rows.append(("stopped after", results.stopped))
    return Table(
        [Column(header="search", left=True), Column(header=results.name, left=True)],
        rows,
    )


def _trials(results: SearchResults) -> str:
    counts = results.counts
    most = results.limits.get("max_trials")
    of = f" of {most:g}" if most else ""
    return f"{counts[COMPLETED]}{of} completed, {counts[FAILED]} failed, " + (
        f"{counts[RUNNING]} running"
    )


def _best(results: SearchResults) -> str:
    return _one(results, results.front[-1] if results.front else None)


def _cheapest(results: SearchResults) -> str:
    return _one(results, results.front[0] if results.front else None)


def _one(results: SearchResults, trial: TrialRecord | None) -> str:
    if trial is None:
        return "-"
    texts = [
        metric(o.name).write(trial.metrics[o.name])
        for o in (results.quality, results.cost)
    ]
    return f"{texts[0]} at {texts[1]} (trial {trial.trial})"


def _elapsed(results: SearchResults, now: float) -> float:
    file = None if results.folder is None else results.folder / SEARCH
    if results.stopped or file is None or not file.is_file():
        return results.elapsed
    running = any(trial.status == RUNNING for trial in results.trials)
    since = max(0.0, now - file.stat().st_mtime) if running else 0.0
    return results.elapsed + since


def _left(results: SearchResults, elapsed: float) -> str:
    """By the mean time of a trial, as if as many ran side by side as do now."""
    found = []
    took = [t.seconds for t in results.trials if t.seconds is not None]
    most = results.limits.get("max_trials")
    if most and took:
        running = results.counts[RUNNING]
        ended = len(results.trials) - running
        rounds = math.ceil(max(0.0, most - ended) / max(running, 1))
        found.append(rounds * sum(took) / len(took))
    hours = results.limits.get("max_hours")
    if hours:
        found.append(max(0.0, 3600 * hours - elapsed))
    return f"about {duration(min(found))}" if found else "unknown"


def duration(seconds: float) -> str:
    """A time in the two largest of its units.

    Example:

    >>> duration(42), duration(135.0), duration(7500)
    ('42 s', '2 min 15 s', '2 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextlib.contextmanager
def watching(folder: pathlib.Path, console: Console) -> Iterator[None]:
    """Shows a search while the block runs it.

    In a terminal a table that is always up to date; elsewhere, such as in a log, a
    line a trial.
    """
    with contextlib.ExitStack() as stack:
        live = None
        if console.is_terminal:
            live = stack.enter_context(Live(console=console, auto_refresh=False))
        watcher = _Watcher(folder, console, live)
        watcher.start()
        try:
            yield
        finally:
            watcher.finish()


class _Watcher(threading.Thread):
    def __init__(
        self, folder: pathlib.Path, console: Console, live: Live | None
    ) -> None:
        super().__init__(name="tuning-watcher", daemon=True)
        self._folder, self._console, self._live = folder, console, live
        self._over = threading.Event()
        found = _read(folder)
        self._seen = {t.trial for t in (found.trials if found else ()) if _ended(t)}

    def run(self) -> None:
        while not self._over.wait(_EVERY):
            self._look()

    def finish(self) -> None:
        """Stops, and shows the end."""
        self._over.set()
        self.join()
        self._look()

    def _look(self) -> None:
        results = _read(self._folder)
        if results is None:
            return
        names = [objective.name for objective in results.objectives]
        for trial in results.trials:
            if _ended(trial) and trial.trial not in self._seen:
                self._seen.add(trial.trial)
                line = trial.line(names)
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        if self._live is not None:
            self._live.update(status_table(results).rich(), refresh=True)


def _ended(trial: TrialRecord) -> bool:
    return trial.status != RUNNING


def _read(folder: pathlib.Path) -> SearchResults | None:
    """The search, `None` while it has not begun, or a file is half written."""
    try:
        return read_search(folder)
    except (OSError, ValueError, KeyError):
        return None
