"""`python -m tuning report`."""

from __future__ import annotations

import pathlib
from typing import Any

from rich.console import Console

from keras_ssp.cli.flags import new_command
from keras_ssp.tuner.results import SearchResults, read_search
from tuning.commands.flags import folder_argument
from tuning.files import write_files
from tuning.summary import front_table, summary


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "report",
        "write the files of a search again, and print its frontier",
        _report,
        epilog="The search may be under way. Example: "
        "python -m tuning report runs/digits",
    )
    folder_argument(command)


def _report(arguments: Any) -> None:
    show(read_search(arguments.folder), arguments.folder, Console())


def show(results: SearchResults, folder: pathlib.Path, console: Console) -> None:
    """Writes the files of a search, and prints its frontier."""
    lines = write_files(results, folder)
    table = front_table(results, brief=True)
    if console.is_terminal:
        console.print(table.rich())
    else:
        print(table)  # whole, however wide
    for line in (summary(results), *lines):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
