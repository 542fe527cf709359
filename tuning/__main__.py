"""`python -m tuning search | status | report | export | chief | ...`, a file each."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from keras_ssp._imports import import_modules
from keras_ssp.cli.flags import imported_modules
from tuning.commands import chief, export, local, report, search, status, worker


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    # A search builds many models; TensorFlow takes each one's trace for a retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    argv = sys.argv[1:] if argv is None else list(argv)
    command = "python -m tuning"
    try:
        # What these register decides what the flags may be, so they come first.
        import_modules(imported_modules(argv))
        arguments = parser().parse_args(argv)
        command = f"python -m tuning {arguments.command}"
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
