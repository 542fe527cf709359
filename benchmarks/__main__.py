"""`python -m benchmarks`: measures side by side, writes a table and a figure."""

from __future__ import annotations

import argparse
import functools
import os
import pathlib
import platform
import sys
import time

from benchmarks import costs, results
from benchmarks.cases import (
    NETWORK_STEPS,
    NETWORKS,
    NEURON_STEPS,
    Case,
    linear_cases,
    network_cases,
    neuron_cases,
    scaling_cases,
)
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.driver import Measured, measure

PARTS = ("neuron", "linear", "network", "scaling", "costs")


def main() -> None:
    """Runs the parts that are asked for."""
    arguments = _parser().parse_args()
    out = arguments.out
    say = functools.partial(print, flush=True)
    say(machine(arguments.device))
    if not arguments.peers:
        say("left out: all other packages (no --peers; see benchmarks/README.md)")
    found: list[Measured] = []
    versions: dict[str, dict[str, str]] = {}
    for case in _cases(arguments):
        start = time.time()
        new, seen = measure(
            case,
            peers=arguments.peers,
            device=arguments.device,
            rounds=arguments.rounds,
            only=functools.partial(_chosen, arguments.only),
            memory=arguments.memory,
            say=say,
        )
        found += new
        versions |= seen
        say(f"{case.name}: {time.time() - start:.0f} s")
        results.write(found, out / f"benchmarks_{arguments.device}.csv")
    if any(m.case.part == "neuron" for m in found):
        results.draw(found, out / f"benchmarks_{arguments.device}.png")
    page = _page(found, versions, arguments)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"benchmarks_{arguments.device}.md").write_text(page, encoding="utf-8")
    say(page)


def machine(device: str) -> str:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        names = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    said = f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"
    if device == "gpu":
        import subprocess

        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        said += ", " + subprocess.check_output(query, text=True).strip()
    return said


def _cases(arguments: argparse.Namespace) -> list[Case]:
    cases = []
    if "neuron" in arguments.parts:
        for dtype in arguments.dtypes:
            cases += neuron_cases(arguments.device, tuple(arguments.steps), dtype)
    if "linear" in arguments.parts:
        cases += linear_cases()
    if "scaling" in arguments.parts:
        cases += [case for few in scaling_cases().values() for case in few]
    if "network" in arguments.parts:
        every = network_cases(arguments.device, arguments.network_steps)
        cases += [case for case in every if case.network in arguments.networks]
    return list(dict.fromkeys(cases))


def _chosen(only: list[str], contender: Contender) -> bool:
    whole = {c.name for c in CONTENDERS}.intersection(only)
    return (
        not only
        or contender.name in whole
        or any(name.lower() in contender.name.lower() for name in {*only} - whole)
    )


def _page(
    found: list[Measured],
    versions: dict[str, dict[str, str]],
    arguments: argparse.Namespace,
) -> str:
    command = "python -m benchmarks " + " ".join(sys.argv[1:])
    parts = [f"`{command}`, {machine(arguments.device)}."]
    if results.cases_of(found, "neuron"):
        for run, title in (("train", "forward and backward"), ("forward", "forward")):
            parts += [f"## Neurons alone, {title}: share of a copy's bytes per second"]
            parts += [results.share_table(found, run)]
    for part in ("linear", "network"):
        for run in ("train", "forward") if results.cases_of(found, part) else ():
            parts += [f"## {part}, {run}", results.time_table(found, part, run)]
    if "scaling" in arguments.parts:
        parts += ["## CNN7, a training step", results.scaling_table(found)]
    if "costs" in arguments.parts and arguments.device == "cpu":
        parts += ["## What this package adds", costs.table()]
    parts += ["## Versions"]
    parts += [
        f"- {name}: " + ", ".join(f"{k} {v}" for k, v in found_versions.items())
        for name, found_versions in versions.items()
    ]
    return "\n\n".join(parts) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="This package beside others: times, memory, and a copy of memory.",
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        help="neurons alone, a dense layer and its neurons, whole networks, how CNN7 "
        "grows with T, batch and width, what penalty, monitor and report cost "
        "(default: all)",
    )
    parser.add_argument(
        "--steps",
        nargs="+",
        type=int,
        default=NEURON_STEPS,
        help="T of the neurons alone (default: %(default)s)",
    )
    parser.add_argument(
        "--dtypes",
        nargs="+",
        choices=("float32", "float16", "bfloat16"),
        default=["float32"],
        help="dtypes of the neurons alone (default: float32)",
    )
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=NETWORKS,
        default=[*NETWORKS],
        help="whole networks (default: all)",
    )
    parser.add_argument(
        "--network-steps",
        nargs="+",
        type=int,
        default=NETWORK_STEPS,
        help="T of the networks (default: %(default)s)",
    )
    parser.add_argument(
        "--memory",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure memory, too (default: yes)",
    )
    parser.add_argument(
        "--peers",
        default="",
        metavar="PYTHON",
        help="the Python of the environment with the other packages (default: none; "
        "this package alone)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="a whole name, or part of the names of several: "
        + ", ".join(c.name for c in CONTENDERS),
    )
    parser.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="(default: cpu)"
    )
    parser.add_argument(
        "--rounds", type=int, default=10, help="repeats (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("runs/benchmarks"),
        help="folder of the results (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    main()
