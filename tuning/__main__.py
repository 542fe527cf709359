"""`python -m tuning search | status | report | export | chief | ...`, a file each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from keras_ssp.cli.program import run
from tuning.commands import chief, export, local, report, search, status, worker


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    return run("python -m tuning", parser, argv)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="python -m tuning",
        description="Searches for the frontier of energy and accuracy.",
        epilog="`python -m tuning COMMAND --help` tells more about a command.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (search, status, report, export, local, chief, worker):
        command.add(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
