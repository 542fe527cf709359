"""`python -m tuning chief`."""

from __future__ import annotations

import argparse
import os
import pathlib
from typing import Any

from rich.console import Console

from keras_ssp._environment import environment
from keras_ssp.cli.flags import new_command
from keras_ssp.tuner.results import read_search
from tuning.commands.flags import plan_from, search_flags
from tuning.commands.report import show
from tuning.plan import PLAN
from tuning.processes import chief_environment, plan_in


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "chief",
        "lead a search whose trials are run by workers, here or on other machines",
        _chief,
        epilog="Chief and workers share the folder of the search. A chief that is "
        "started again goes on with what is there; in place of the space, it may be "
        "given that folder. Example: python -m tuning chief digits --trials 100 "
        "--address 0.0.0.0 --port 7777",
    )
    search_flags(command)
    command.add_argument(
        "--address",
        default=os.environ.get("KERASTUNER_ORACLE_IP", "127.0.0.1"),
        help="where it listens (default: the variable KERASTUNER_ORACLE_IP, or "
        "127.0.0.1, this machine alone); 0.0.0.0 lets workers of other machines in. "
        "Keras Tuner's protocol knows no passwords: only in a network that you trust",
    )
    command.add_argument(
        "--port",
        type=int,
        default=int(os.environ.get("KERASTUNER_ORACLE_PORT", "0")),
        help="its port (default: the variable KERASTUNER_ORACLE_PORT, or 0: a free "
        "one, which workers find in the folder of the search)",
    )
    command.add_argument(
        "--report",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write the files of the search at its end, and print its frontier",
    )


def _chief(arguments: Any) -> None:
    if arguments.overwrite:
        raise ValueError(
            "`overwrite` must not be asked of a chief: it would do so each time that "
            "it is started again. Received: --overwrite. Remedy: another --out."
        )
    given = pathlib.Path(arguments.space)
    if (given / PLAN).is_file():
        plan = plan_in(given)
    else:
        plan = plan_from(arguments)
        plan.write()
    with environment(chief_environment(arguments.address, arguments.port)):
        plan.tuner().search(verbose=1)
    if arguments.report:
        show(read_search(plan.folder), plan.folder, Console())
