"""Flags that several commands share."""

from __future__ import annotations

import argparse
import dataclasses
import os
from typing import Any

from keras_ssp.training.config import TrainConfig, choices, read_config


def new_command(commands: Any, name: str, help: str, run: Any, **kwargs: Any) -> Any:
    """Adds a command to the subparsers; `run` gets its parsed arguments."""
    command = commands.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        **kwargs,
    )
    command.set_defaults(run=run)
    return command


def verbose_flag(command: Any) -> None:
    """Adds `--verbose`."""
    command.add_argument(
        "--verbose",
        type=int,
        choices=(0, 1, 2),
        default=1,
        help="1 progress bars (default), 2 a line per epoch, 0 nothing",
    )


def data_dir_flag(command: Any) -> None:
    """Adds `--data-dir`."""
    command.add_argument(
        "--data-dir",
        default=os.environ.get("TFDS_DATA_DIR"),
        help="where the data sets are (default: the variable TFDS_DATA_DIR)",
    )


def config_flags(command: Any) -> None:
    """Adds a flag for every field of `TrainConfig`; only given ones are set."""
    group = command.add_argument_group("training")
    for field in dataclasses.fields(TrainConfig):
        flag = f"--{field.name.replace('_', '-')}"
        kwargs: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": field.name}
        default = "not set" if field.default is None else field.default
        text = f"{field.metadata['help']} (default: {default})"
        if field.type == "bool":
            kwargs["action"] = argparse.BooleanOptionalAction
        else:
            kind = str(field.type).partition(" | ")[0]
            kwargs["type"] = {"int": int, "float": float, "str": str}[kind]
            kwargs["choices"] = choices(field)
            if kwargs["choices"] is None:
                kwargs["metavar"] = kind.upper()
        group.add_argument(flag, help=text.replace("%", "%%"), **kwargs)


def config_values(arguments: Any) -> dict[str, Any]:
    """The values of `--config` with the given flags over them."""
    file = getattr(arguments, "config", None)
    values = {} if file is None else read_config(file)
    names = [field.name for field in dataclasses.fields(TrainConfig)]
    return values | {n: getattr(arguments, n) for n in names if hasattr(arguments, n)}
