"""Everything that may happen to the processes of a search, many times each.

`python -m tests.tuner.faults` runs all that docs/results/search_faults.md tells of,
and prints its table; `python -m tests.tuner.faults NAME ...` some of it.
"""

import pathlib
import random
import signal
import sys
import tempfile
import time

from tests.tuner.processes import Processes

TRIALS, KILLS = 14, 10  # of each


def started(search, workers=("one", "two")):
    for name in ("chief", *workers):
        search.start(name)
    search.until(lambda: search.started() >= 1)
    return search


def in_mid_trial(search, worker, rng):
    """Waits for a moment in a trial of a worker; returns it, and the time in it."""
    process = search.running[worker]
    began = len(search.runs())

    def running():
        mine = [r for r in search.runs()[began:] if r[3] == process.pid]
        return (mine and mine[-1][1] == "start") or search.over()

    search.until(running)
    time.sleep(rng.uniform(0.0, 2.0))


def kill_workers(search, rng):
    """A worker is killed in mid-trial, and comes back, or another one in its place."""
    started(search)
    names = ["one", "two"]
    happened = []
    for k in range(search.kills):
        old = rng.choice(names)
        in_mid_trial(search, old, rng)
        if search.over():
            break
        search.kill(old)
        time.sleep(rng.uniform(0.0, 3.0))
        new = old if k % 2 else f"new{k}"
        names[names.index(old)] = new
        search.start(new)
        happened.append(f"{old}->{new}" if new != old else old)
    return f"{len(happened)} kills: {', '.join(happened)}"


def kill_chief(search, rng):
    """The chief is killed at any moment, and started again a while later."""
    started(search)
    away = []
    for _ in range(search.kills):
        time.sleep(rng.uniform(0.3, 3.0))
        if search.over():
            break
        search.kill("chief")
        away.append(rng.uniform(0.0, 6.0))
        time.sleep(away[-1])
        search.start("chief")
    return f"{len(away)} kills, away for {min(away):.1f} to {max(away):.1f} s"


def kill_chief_at_a_write(search, rng):
    """The chief kills itself before or after the n-th file that it writes."""
    for name in ("one", "two"):
        search.start(name)
    writes = []
    for _ in range(search.kills):
        # An even number kills it when the file is there, an odd one before.
        number = rng.randrange(1, 16)
        process = search.start("chief", "--die-at", str(number))
        search.until(lambda process=process: process.exitcode is not None)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL, search.said()
        writes.append(number)
    search.start("chief")
    return f"{len(writes)} kills, at writes {', '.join(map(str, writes))}"


def pause_worker(search, rng):
    """A worker stands still for longer than its lease, and goes on."""
    started(search)
    pauses = []
    for _ in range(3):
        in_mid_trial(search, "one", rng)
        if search.over():
            break
        pauses.append(rng.uniform(6.0, 12.0))
        search.kill("one", signal.SIGSTOP)
        time.sleep(pauses[-1])
        search.kill("one", signal.SIGCONT)
    return (
        f"{len(pauses)} pauses of {min(pauses):.1f} to {max(pauses):.1f} s, lease 4 s"
    )


def pause_chief(search, rng):
    """The chief stands still: nobody is answered, and no lease must end by that."""
    started(search)
    pauses = []
    for _ in range(3):
        time.sleep(rng.uniform(1.0, 4.0))
        if search.over():
            break
        pauses.append(rng.uniform(6.0, 12.0))
        search.kill("chief", signal.SIGSTOP)
        time.sleep(pauses[-1])
        search.kill("chief", signal.SIGCONT)
    return (
        f"{len(pauses)} pauses of {min(pauses):.1f} to {max(pauses):.1f} s, lease 4 s"
    )


def _pauses(pauses):
    spread = f"{min(pauses):.1f} to {max(pauses):.1f}"
    return f"{len(pauses)} pauses of {spread} s; the lease is 4 s"


def late_worker(search, rng):
    """A worker joins when the search is half done, and does its part."""
    started(search, ["one"])
    search.until(lambda: search.ended() >= 3)
    late = search.start("two")
    search.until(lambda: search.over())
    assert late.pid in {pid for _, what, _, pid in search.runs() if what == "end"}
    return "one worker, another one after 3 trials"


def worker_after_the_end(search, rng):
    """A worker that comes when all is over leaves."""
    started(search)
    search.finish()
    begun = time.monotonic()
    last = search.start("three")
    search.until(lambda: last.exitcode is not None)
    assert last.exitcode == 0, search.said()
    took = time.monotonic() - begun
    assert took < 60.0
    return f"it left after {took:.0f} s"


def recycled_workers(search, rng):
    """Workers leave after two trials each, and are started again."""
    started(search)
    count = 0

    def restarted():
        nonlocal count
        for name in ("one", "two"):
            if search.running[name].exitcode == 0 and not search.over():
                search.start(name)
                count += 1
        return search.over()

    search.until(restarted)
    return f"started again {count} times"


def killed_alone(search, rng):
    """One process without workers: it must propose what an unbroken one does."""
    whole = Processes(search.folder.with_name("whole"), search.trials)
    whole.start("alone")
    kills = 0
    for k in range(search.kills):
        at_write = k % 2 == 1
        more = ("--die-at", str(rng.randrange(1, 16))) if at_write else ()
        process = search.start("alone", *more)
        if at_write:
            search.until(lambda process=process: process.exitcode is not None)
        else:
            runs = len(search.runs())
            search.until(lambda runs=runs: len(search.runs()) > runs or search.over())
            time.sleep(rng.uniform(0.0, 4.0))
            if process.exitcode is None:
                search.kill("alone")
        kills += process.exitcode == -signal.SIGKILL
        if search.over():
            break
    search.start("alone")
    search.finish()
    whole.finish()
    whole.check()
    ours, theirs = search.results(), whole.results()
    for mine, other in zip(ours.trials, theirs.trials, strict=True):
        assert mine.values == other.values, (mine, other)
    assert ours.reference == theirs.reference
    return f"{kills} kills; all trials have the values of the unbroken search"


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        kill_workers,
        kill_chief,
        kill_chief_at_a_write,
        pause_worker,
        pause_chief,
        late_worker,
        worker_after_the_end,
        recycled_workers,
        killed_alone,
    )
}


def run(name, seed, folder, trials=TRIALS, kills=KILLS, lease=4):
    """Runs one; returns a row of the table."""
    options = {"recycle": 2} if name == "recycled_workers" else {}
    options["lease"] = lease
    search = Processes(folder, trials, **options)
    search.kills = kills
    began = time.monotonic()
    try:
        what = SCENARIOS[name](search, random.Random(seed))
        after = search.finish()
        runs = search.check()
    finally:
        search.stop()
    assert after < 60.0, f"the last process left {after:.0f} s after the last trial"
    twice = sum(count > 1 for count in runs.values())
    took = time.monotonic() - began
    cells = (name, what, f"{len(runs)} of {trials}", twice, f"{after:.0f} s")
    return f"| {' | '.join(map(str, cells))} | {took:.0f} s |"


def main(names):
    head = ("what", "happened", "completed once", "begun more than once")
    print(f"| {' | '.join([*head, 'all have left after', 'took'])} |")
    print("|---|---|---|---|---|---|")
    for seed, name in enumerate(names or SCENARIOS):
        with tempfile.TemporaryDirectory() as folder:
            print(run(name, seed, pathlib.Path(folder) / "search"), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
