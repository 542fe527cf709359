"""`python -m tuning search | status | report | export | chief | ...`, a file each."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Sequence

from keras_ssp_start.program import run
from keras_ssp_start.quiet import quiet

#: The commands as data, written by docs/make_commands.py.
COMMANDS = pathlib.Path(__file__).with_name("commands.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    return run("python -m tuning", parser, argv, known=COMMANDS)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    # They import TensorFlow, which help and typing errors need not wait for.
    from tuning.commands import chief, export, local, report, search, status, worker

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
    quiet()
    sys.exit(main())
