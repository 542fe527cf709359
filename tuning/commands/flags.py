"""Flags that several commands share."""

from __future__ import annotations

import pathlib
import shlex
import sys
from typing import Any

from keras_ssp.cli.flags import data_dir_flag, import_flag, name_value
from keras_ssp.tuner import samplers
from keras_ssp.tuner.oracle import REPEATS
from tuning.plan import Plan
from tuning.spaces import SPACES, find_space


def folder_argument(command: Any) -> None:
    """Adds the folder of a search."""
    command.add_argument("folder", type=pathlib.Path, help="the folder of a search")


def search_flags(command: Any) -> None:
    """Adds all that decides about a search; `plan_from` reads it."""
    command.add_argument(
        "space",
        help=f"what to search: {', '.join(SPACES)}, or a .toml, .json or .yaml file "
        "with the tables [train] (values of `keras-ssp train`'s flags), [search] "
        "(lists of values, or low, high, sampling, step) and [objectives]",
    )
    command.add_argument(
        "--out",
        type=pathlib.Path,
        default=None,
        help="folder of the search (default: runs/ and the name of the space)",
    )
    command.add_argument(
        "--overwrite", action="store_true", help="throw away what is in the folder"
    )
    command.add_argument(
        "--set",
        dest="values",
        metavar="NAME=VALUE",
        type=_pair,
        action="append",
        default=[],
        help="another value of [train], such as epochs=5; it is not searched then; "
        "may be repeated",
    )
    _budget_flags(command)
    command.add_argument(
        "--sampler",
        choices=samplers.names(),
        default="ehvi",
        help="what proposes the trials (default: %(default)s)",
    )
    command.add_argument(
        "--seed", type=int, default=0, help="of the search (default: 0)"
    )
    command.add_argument(
        "--seeds",
        type=int,
        default=1,
        help="trainings of the same values, from --seed on (default: 1)",
    )
    command.add_argument(
        "--repeat",
        choices=REPEATS,
        default="average",
        help="whether these are one trial, or a trial each (default: %(default)s)",
    )
    data_dir_flag(command)
    import_flag(command)


def _budget_flags(command: Any) -> None:
    command.add_argument(
        "--trials", type=int, default=24, help="at most so many (default: 24)"
    )
    command.add_argument(
        "--hours", type=float, default=None, help="at most so long (default: no limit)"
    )
    command.add_argument(
        "--patience",
        type=int,
        default=None,
        help="stop after so many trials without a gain in hypervolume (default: never)",
    )
    command.add_argument(
        "--lease",
        type=float,
        default=60.0,
        help="seconds after which the trial of a worker that is not heard from is "
        "given to another (default: 60)",
    )


def plan_from(arguments: Any) -> Plan:
    """The plan that the flags describe.

    Raises:
        ValueError: If they do not fit together.
    """
    space = find_space(arguments.space).with_values(dict(arguments.values))
    return Plan(
        space=space,
        folder=arguments.out or pathlib.Path("runs") / space.name,
        sampler=arguments.sampler,
        max_trials=arguments.trials,
        max_hours=arguments.hours,
        patience=arguments.patience,
        seed=arguments.seed,
        seeds=arguments.seeds,
        repeat=arguments.repeat,
        lease=arguments.lease,
        data_dir=arguments.data_dir,
        imports=tuple(arguments.imports),
        command=shlex.join(["python", "-m", "tuning", *sys.argv[1:]]),
    )


def _pair(text: str) -> tuple[str, Any]:
    """`NAME=VALUE` with the name of a field, which a flag spells with dashes."""
    name, value = name_value(text)
    return name.replace("-", "_"), value
