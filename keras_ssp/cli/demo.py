"""`keras-ssp demo`."""

from __future__ import annotations

import pathlib
from typing import Any

from keras_ssp.cli.flags import new_command


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "demo",
        "train a small network on scikit-learn's digits with and without the penalty, "
        "and show what it saves",
        _demo,
    )
    command.add_argument(
        "--out",
        type=pathlib.Path,
        default="runs/demo",
        help="folder for the results (default: %(default)s)",
    )
    command.add_argument(
        "--seeds",
        type=int,
        default=3,
        help="trainings of each setting, averaged (default: %(default)s)",
    )


def _demo(arguments: Any) -> None:
    from keras_ssp.studies import demo

    demo.run(arguments.out, seeds=arguments.seeds)
