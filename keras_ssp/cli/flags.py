"""Flags that several commands share."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from typing import Any

from keras_ssp import datasets
from keras_ssp._config_file import read_config
from keras_ssp.training._fields import choices
from keras_ssp.training.config import TrainConfig


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
    """Adds `--verbose` and `--quiet`; `program.run` fills in what was not given."""
    command.add_argument(
        "--verbose",
        type=int,
        choices=(0, 1, 2),
        default=None,
        help="1 progress bars, 2 a line per epoch, 0 nothing (default: 1 in a "
        "terminal, 2 where the output goes to a file or another program)",
    )
    command.add_argument(
        *("-q", "--quiet"),
        dest="verbose",
        action="store_const",
        const=0,
        help="as --verbose 0",
    )


def data_dir_flag(command: Any) -> None:
    """Adds `--data-dir`."""
    command.add_argument(
        "--data-dir",
        default=os.environ.get("TFDS_DATA_DIR"),
        help="where the data sets are (default: the variable TFDS_DATA_DIR)",
    )


def download_flag(command: Any) -> None:
    """Adds `--download`, which `check_data` asks for."""
    command.add_argument(
        "--download",
        action="store_true",
        help="download a data set that is not on this machine",
    )


def check_data(name: str | None, arguments: Any) -> None:
    """Makes sure that a data set is here, or that it may be downloaded.

    Raises:
        FileNotFoundError: If it is not, before anything is made or downloaded.
    """
    if not arguments.download and name is not None:
        datasets.require_local(name, arguments.data_dir)


def import_flag(command: Any) -> None:
    """Adds `--import`; `program.run` imports them, before it reads the flags."""
    command.add_argument(
        "--import",
        dest="imports",
        metavar="MODULE",
        action="append",
        default=[],
        help="import a module of your own first, from the current folder too: what it "
        "registers (neurons, penalties, surrogates, energy models, networks, data "
        "sets, optimisers) is then known by name; may be repeated",
    )


def config_flags(command: Any) -> None:
    """Adds a flag for every field of `TrainConfig`; only given ones are set."""
    group = command.add_argument_group("training")
    for field in dataclasses.fields(TrainConfig):
        flag = f"--{field.name.replace('_', '-')}"
        kwargs: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": field.name}
        default = "not set" if field.default is None else field.default
        text = field.metadata["help"]
        if "names" in field.metadata:
            names = ", ".join(field.metadata["names"]())
            text += f": {names}, or {field.metadata['also']}"
        text += f" (default: {default})"
        if field.type == "bool":
            kwargs["action"] = argparse.BooleanOptionalAction
        elif field.type == "Config":
            kwargs |= {"action": "append", "type": name_value, "metavar": "NAME=VALUE"}
            text = f"{field.metadata['help']} (default: none)"
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
    given = {n: getattr(arguments, n) for n in names if hasattr(arguments, n)}
    if "neuron" in given:
        given["neuron"] = {**values.get("neuron", {}), **dict(given["neuron"])}
    return values | given


def name_value(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`, the value read as JSON where it is some: `0.5`, `true`, `null`."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE. Received: {text!r}.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
