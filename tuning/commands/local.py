"""`python -m tuning local`."""

from __future__ import annotations

from typing import Any

from keras_ssp.cli.flags import new_command
from tuning.commands.flags import search_flags
from tuning.commands.search import conduct
from tuning.processes import run_local


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "local",
        "search with a chief and workers on this machine, one for each GPU",
        _local,
        epilog="A worker that dies is started again, and so is the chief; nothing is "
        "lost, and no trial that has ended is run again. What they print is in logs/ "
        "in the folder. Exit status 0 says that the search is complete. Examples: "
        "python -m tuning local digits --workers 2; KERAS_BACKEND=jax python -m "
        "tuning local vgg11 --trials 40 --recycle 10",
    )
    search_flags(command)
    command.add_argument(
        "--workers",
        type=_workers,
        default="auto",
        help="trials that run side by side, a process each (default: auto, one for "
        "each GPU; without GPUs, one for two cores)",
    )
    command.add_argument(
        "--recycle",
        type=int,
        default=None,
        metavar="TRIALS",
        help="start the process of a worker anew after so many trials: its memory "
        "grows from trial to trial (default: never)",
    )


def _local(arguments: Any) -> None:
    conduct(
        arguments,
        lambda plan, say: run_local(
            plan, arguments.workers, recycle=arguments.recycle, say=say
        ),
    )


def _workers(text: str) -> int | str:
    return text if text == "auto" else int(text)
