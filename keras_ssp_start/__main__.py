"""The program `keras-ssp`; `python -m keras_ssp_start` in a clone."""

from __future__ import annotations

import argparse
import importlib.util
import pathlib
import sys

from keras_ssp_start.program import run
from keras_ssp_start.quiet import quiet

#: The commands as data, written by docs/make_commands.py.
COMMANDS = pathlib.Path(__file__).with_name("commands.json")

# Not in `main`: the processes of `compare --jobs` import this module, and no more.
quiet()


def main() -> int:
    """Runs the command of this process; returns the exit status."""
    return run("keras-ssp", _parser, known=COMMANDS, at_once=_completed)


def _parser() -> argparse.ArgumentParser:
    from keras_ssp.cli import parser

    return parser()


def _completed(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> bool:
    """Prints what completes commands in a shell, if that is asked for and shtab here.

    `keras_ssp.cli.completion` does the same with the whole parser, and says what to
    install where shtab is missing.
    """
    if arguments.command != "completion" or importlib.util.find_spec("shtab") is None:
        return False
    import shtab

    print(shtab.complete(parser, arguments.shell))
    return True


if __name__ == "__main__":
    sys.exit(main())
