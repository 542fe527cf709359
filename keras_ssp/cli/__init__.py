"""The command line: `keras-ssp demo | train | report | compare`, a file each."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from keras_ssp import __version__
from keras_ssp._imports import import_modules
from keras_ssp.cli import compare, demo, report, train
from keras_ssp.cli.flags import imported_modules


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    # A command builds many models; TensorFlow takes each one's trace for a retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    argv = sys.argv[1:] if argv is None else list(argv)
    command = "keras-ssp"
    try:
        # What these register decides what the flags may be, so they come first.
        import_modules(imported_modules(argv))
        arguments = parser().parse_args(argv)
        command = f"keras-ssp {arguments.command}"
        # With an abbreviated flag, the parser alone has seen them.
        import_modules(getattr(arguments, "imports", ()))
        arguments.run(arguments)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        print(f"{command}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{command}: interrupted", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="keras-ssp",
        description="Spiking neural networks in Keras 3 that know what they cost.",
        epilog="`keras-ssp COMMAND --help` tells more about a command.",
    )
    top.add_argument("--version", action="version", version=f"keras-ssp {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, train, report, compare):
        command.add(commands)
    return top
