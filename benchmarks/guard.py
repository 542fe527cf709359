"""`python -m benchmarks.guard`: is anything much slower than it was?

Compares shares of a copy's rate, measured in one run, with those of `baseline.json`:
no seconds, so that the machine matters little. `--write` stores what is measured now.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

from benchmarks.__main__ import machine
from benchmarks.cases import neuron_cases
from benchmarks.driver import measure
from benchmarks.results import share_of_copy

BASELINE = pathlib.Path(__file__).with_name("baseline.json")
STEPS = (4, 16, 100)
#: What a busy machine may take away: half of the share.
LEAST = 0.5


def main() -> int:
    """Measures and compares; the exit status is 1 if something is slower."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard")
    parser.add_argument("--write", action="store_true", help="store a new baseline")
    parser.add_argument("--rounds", type=int, default=7, help="(default: %(default)s)")
    arguments = parser.parse_args()
    shares = _shares(arguments.rounds)
    if arguments.write:
        stored = {"machine": machine("cpu"), "shares": shares}
        BASELINE.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        return 0
    before = json.loads(BASELINE.read_text(encoding="utf-8"))["shares"]
    slower = 0
    for name, share in shares.items():
        ratio = share / before[name]
        slower += ratio < LEAST
        verdict = "SLOWER" if ratio < LEAST else "ok"
        print(f"{verdict:7}{name}: {share:.0%} of a copy's rate, {ratio:.2f} of before")
    missing = before.keys() - shares.keys()
    for name in sorted(missing):
        print(f"MISSING {name}: could not be measured")
    return 1 if slower or missing else 0


def _shares(rounds: int) -> dict[str, float]:
    shares = {}
    for case in neuron_cases("cpu", STEPS):
        found, _ = measure(
            case,
            rounds=rounds,
            memory=False,
            only=lambda contender: contender.backend in ("tensorflow", "jax"),
        )
        shares |= {
            f"{m.contender}, T = {case.steps}, {m.run}": round(
                share_of_copy(found, m), 3
            )
            for m in found
            if m.run != "copy"
        }
    return shares


if __name__ == "__main__":
    sys.exit(main())
