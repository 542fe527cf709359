"""`keras-ssp completion`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from keras_ssp._extras import require
from keras_ssp.cli.flags import new_command

SHELLS = ("bash", "zsh")


def add(commands: Any, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Adds the command; `parser` makes the parser of all commands."""
    command = new_command(
        commands,
        "completion",
        "print what makes a shell complete commands, flags and their values",
        _print,
        epilog='Example, in ~/.bashrc: eval "$(keras-ssp completion bash)"',
    )
    command.add_argument("shell", choices=SHELLS, help="which shell")
    command.set_defaults(parser=parser)


def _print(arguments: Any) -> None:
    shtab = require("shtab", extra="completion")
    print(shtab.complete(arguments.parser(), arguments.shell))
