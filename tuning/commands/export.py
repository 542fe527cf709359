"""`python -m tuning export`."""

from __future__ import annotations

import pathlib
from typing import Any

from keras_ssp import datasets
from keras_ssp.cli.flags import data_dir_flag, import_flag, new_command, verbose_flag
from tuning.commands.flags import folder_argument
from tuning.export import export


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "export",
        "take one network of a search, measure it on the test part, and save it",
        _export,
        epilog="Examples: python -m tuning export runs/digits --pick within=1.0 --out "
        "saved_models/digits; python -m tuning export runs/digits --pick budget=50nJ",
    )
    folder_argument(command)
    command.add_argument(
        "--pick",
        default="knee",
        metavar="WHICH",
        help="knee: after which more energy buys little; best: the most accurate; "
        "within=POINTS: the cheapest at most so many points of accuracy below the "
        "best; budget=ENERGY: the most accurate that spends no more, such as "
        "budget=50nJ; or the id of a trial (default: knee)",
    )
    command.add_argument(
        "--out",
        type=pathlib.Path,
        default=None,
        help="folder of the model's versions (default: saved_models/ and the name of "
        "the search); the next number is taken",
    )
    command.add_argument(
        "--retrain",
        action="store_true",
        help="train it again instead of taking the trial's network",
    )
    command.add_argument(
        "--data",
        default=None,
        help=f"data set: {', '.join(datasets.names())} (default: that of the search)",
    )
    data_dir_flag(command)
    import_flag(command)
    verbose_flag(command)


def _export(arguments: Any) -> None:
    found = export(
        arguments.folder,
        arguments.pick,
        arguments.out,
        retrain=arguments.retrain,
        data=arguments.data,
        data_dir=arguments.data_dir,
        verbose=arguments.verbose,
    )
    print(found.report)
    print(f"trial            {found.trial.trial} ({arguments.pick})")
    print(f"test accuracy    {100 * found.test_accuracy:.2f} %")
    print(f"written to       {found.folder}")
