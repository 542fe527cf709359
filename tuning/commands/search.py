"""`python -m tuning search`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from rich.console import Console

from keras_ssp._checks import positive_int
from keras_ssp.cli.flags import new_command
from keras_ssp.tuner.results import SEARCH, read_search
from tuning.commands.flags import plan_from, search_flags
from tuning.commands.report import show
from tuning.live import watching
from tuning.plan import PLAN, Plan
from tuning.processes import run_local


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "search",
        "search for the frontier of accuracy and energy",
        _search,
        epilog="An interrupted search goes on when it is called again, and one that "
        "has ended goes on with a larger --trials. Examples: python -m tuning search "
        "digits --trials 24; python -m tuning search my.toml --hours 8 --workers 2",
    )
    search_flags(command)
    command.add_argument(
        "--workers",
        type=int,
        default=1,
        help="trials that run side by side, a process each (default: 1)",
    )


def _search(arguments: Any) -> None:
    workers = positive_int("workers", arguments.workers)

    def run(plan: Plan, say: Callable[[str], object]) -> None:
        if workers > 1:
            run_local(plan, workers, say=say)
        else:
            plan.tuner().search(verbose=0)

    conduct(arguments, run)


def conduct(
    arguments: Any, run: Callable[[Plan, Callable[[str], object]], None]
) -> None:
    """Has a search run, shows how far it is, and what it found.

    Args:
        arguments: What `search_flags` found.
        run: Called with the plan, and with what prints a line.
    """
    plan = plan_from(arguments)
    if arguments.overwrite and plan.folder.exists():
        _throw_away(plan)
    plan.write()
    console = Console()
    console.print(
        f"Search of {plan.space.name!r} in {plan.folder}.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    with watching(plan.folder, console):
        run(plan, lambda line: console.print(line, markup=False, highlight=False))
    show(read_search(plan.folder), plan.folder, console)


def _throw_away(plan: Plan) -> None:
    """Deletes the search in the folder, and nothing that is not one."""
    if any(plan.folder.iterdir()) and not (plan.folder / SEARCH).is_file():
        if not (plan.folder / PLAN).is_file():
            raise ValueError(
                "`overwrite` must only be used on the folder of a search. Received: "
                f"{plan.folder}, which holds something else."
            )
    shutil.rmtree(plan.folder)
