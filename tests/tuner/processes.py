"""A search whose processes are real ones, to be killed, paused, late."""

import collections
import json
import multiprocessing
import os
import pathlib
import signal
import time

from keras_ssp.tuner import read_search
from tests.tuner import search_program
from tuning.processes import chief_environment, worker_environment

# Processes are forked from one that has imported everything and done nothing else, so
# that killing a process 20 times does not take an hour of imports.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.tuner.search_program"])


def _main(env, arguments, log):
    os.environ.update(env)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    search_program.main(arguments)


class Processes:
    """A search in a folder, its chief and its workers."""

    def __init__(self, folder, trials, **options):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.trials = trials
        self.arguments = [str(self.folder), "--trials", str(trials)]
        for name, value in options.items():
            self.arguments += [f"--{name}", str(value)]
        self.running = {}
        self.histories = []

    def start(self, name, *more):
        """Starts the chief, a worker, or `"alone"`, which is neither."""
        env = worker_environment(name)
        if name in ("chief", "alone"):
            env = chief_environment() if name == "chief" else {}
        log = self.folder / f"{name}.log"
        process = CONTEXT.Process(
            target=_main, args=(env, [*self.arguments, *more], log)
        )
        process.start()
        self.running[name] = process
        return process

    def kill(self, name, number=signal.SIGKILL):
        """Sends a signal; waits for the end that SIGKILL brings."""
        os.kill(self.running[name].pid, number)
        if number == signal.SIGKILL:
            self.running.pop(name).join()

    def runs(self):
        """The lines of the log of runs: `(time, what, trial, process)`."""
        file = self.folder / "runs.log"
        lines = file.read_text().splitlines() if file.is_file() else []
        found = [line.split() for line in lines]
        return [(float(t), what, trial, int(pid)) for t, what, trial, pid in found]

    def results(self):
        """What there is so far, `None` before there is anything."""
        try:
            found = read_search(self.folder)
        except FileNotFoundError:
            return None
        self.histories.append(found.hypervolume_history)
        return found

    def until(self, condition, seconds=1200.0):
        """Waits for something; fails with what the processes said."""
        limit = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > limit:
                raise AssertionError(f"nothing came in {seconds} s\n{self.said()}")
            time.sleep(0.02)

    def over(self):
        """Whether the search has stopped."""
        found = self.results()
        return found is not None and found.stopped is not None

    def ended(self):
        """How many trials have ended."""
        found = self.results()
        return sum(t.status != "running" for t in found.trials) if found else 0

    def started(self):
        """How many runs were started."""
        return sum(what == "start" for _, what, _, _ in self.runs())

    def said(self):
        """The ends of all logs."""
        parts = []
        for log in sorted(self.folder.glob("*.log")):
            parts += [f"--- {log.name}", *log.read_text().splitlines()[-15:]]
        return "\n".join(parts)

    def finish(self, seconds=1200.0):
        """Waits for all processes; returns how long they took after the last trial."""

        def left():
            self.results()
            return all(p.exitcode is not None for p in self.running.values())

        self.until(left, seconds)
        codes = {name: p.exitcode for name, p in self.running.items()}
        assert set(codes.values()) == {0}, f"{codes}\n{self.said()}"
        return time.time() - self.last_end()

    def last_end(self):
        """When the last trial was reported."""
        ends = [file.stat().st_mtime for file in self.folder.glob("*/trial.json")]
        return max(ends)

    def stop(self):
        """Kills what is left."""
        for process in self.running.values():
            if process.exitcode is None:
                os.kill(process.pid, signal.SIGKILL)
                process.join()

    def check(self):
        """What must be so after every search; returns runs per trial."""
        trials, results, said = self.trials, self.results(), self.said()
        assert [int(t.trial) for t in results.trials] == list(range(trials)), said
        assert {t.status for t in results.trials} == {"completed"}, said
        assert results.stopped == f"{trials} trials"
        state = json.loads((self.folder / "oracle.json").read_text())
        assert sorted(state["end_order"]) == [t.trial for t in results.trials]
        assert not state["ongoing_trials"] and not state["retry_queue"]
        values = [tuple(sorted(t.values.items())) for t in results.trials]
        assert len(set(values)) == trials
        self.check_history(trials)
        self.check_runs()
        return collections.Counter(
            t for _, what, t, _ in self.runs() if what == "start"
        )

    def check_history(self, trials):
        """The hypervolume has an entry for each trial and never falls."""
        last = self.histories[-1]
        assert len(last) == trials
        assert all(a <= b for a, b in zip(last, last[1:], strict=False))
        best = [history[-1] for history in self.histories if history]
        assert all(a <= b + 1e-12 for a, b in zip(best, best[1:], strict=False))

    def check_runs(self):
        """No trial was started after it had ended, and files are whole."""
        again = [trial for _, what, trial, _ in self.runs() if what == "again"]
        assert not again, f"run again after they had ended: {again}"
        for file in self.folder.rglob("*.json"):
            json.loads(file.read_text())
