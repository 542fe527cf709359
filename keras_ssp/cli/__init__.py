"""The command line: `keras-ssp demo | train | report | ...`, a file each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from keras_ssp import __version__
from keras_ssp.cli import (
    compare,
    completion,
    demo,
    doctor,
    export,
    report,
    serve,
    spikes,
    train,
)
from keras_ssp_start.program import run


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    return run("keras-ssp", parser, argv)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="keras-ssp",
        description="Spiking neural networks in Keras 3 that know what they cost.",
        epilog="`keras-ssp COMMAND --help` tells more about a command.",
    )
    top.add_argument("--version", action="version", version=f"keras-ssp {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, train, report, spikes, compare, export, serve, doctor):
        command.add(commands)
    completion.add(commands, parser)
    return top
