"""`python -m tuning status`."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from keras_ssp.cli.flags import new_command
from keras_ssp.tuner.results import read_search
from tuning.commands.flags import folder_argument
from tuning.live import status_table


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "status",
        "show how far a search is",
        _status,
        epilog="Example: python -m tuning status runs/digits",
    )
    folder_argument(command)


def _status(arguments: Any) -> None:
    Console().print(status_table(read_search(arguments.folder)).rich())
