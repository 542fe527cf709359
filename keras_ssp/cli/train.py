"""`keras-ssp train`."""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from keras_ssp.cli.flags import (
    check_data,
    config_flags,
    config_values,
    data_dir_flag,
    download_flag,
    import_flag,
    new_command,
    verbose_flag,
)
from keras_ssp.datasets.own import is_own
from keras_ssp.training.config import TrainConfig

# What a folder's name tells in a way of its own, and short for what it tells of others.
_TOLD = ("data", "model", "activation", "penalty", "weight", "budget", "seed")
_SHORT = {"time_steps": "T", "width": "w", "epochs": "e", "batch_size": "b"}
_SHORT |= {"learning_rate": "lr", "train_samples": "n"}


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "train",
        "train one network and report its accuracy and energy",
        _train,
        epilog="Example: keras-ssp train --data fashion_mnist --weight 0.3 --epochs 5",
    )
    command.add_argument(
        "--config",
        type=pathlib.Path,
        default=argparse.SUPPRESS,
        help="file (.toml, .json, .yaml) with values of the flags below; a flag wins",
    )
    command.add_argument(
        "--run-dir",
        type=pathlib.Path,
        default=None,
        help="folder for the results (default: runs/ and a name made of the config)",
    )
    data_dir_flag(command)
    download_flag(command)
    import_flag(command)
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on after the last finished epoch of the folder; where there is none, "
        "begin",
    )
    command.add_argument(
        "--overwrite", action="store_true", help="throw away what is in the folder"
    )
    verbose_flag(command)
    config_flags(command)
    command.set_defaults(go_on="; the same command with --resume goes on")


def _train(arguments: Any) -> None:
    from keras_ssp import training

    config = TrainConfig.from_dict(config_values(arguments))
    check_data(config.data, arguments)
    folder = arguments.run_dir or pathlib.Path("runs") / run_name(config)
    for remark in _remarks(config, folder, arguments.resume):
        print(f"keras-ssp train: {remark}", file=sys.stderr)
    run = training.train(
        config,
        folder,
        data_dir=arguments.data_dir,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        verbose=arguments.verbose,
    )
    print(run.report)
    print(f"test accuracy    {100 * run.test_accuracy:.2f} %")
    if run.budget is not None:
        print(f"budget           {run.budget}")
    print(f"written to       {folder}")


def _remarks(config: TrainConfig, folder: pathlib.Path, resume: bool) -> Iterator[str]:
    """What who typed the command may not have meant."""
    priced = config.spiking and config.penalty != "none" and config.budget is None
    if priced and not config.weight:
        yield (
            f"lambda is 0, so the {config.penalty} penalty does nothing; give --weight "
            "0.3, say, for a network that spikes less"
        )
    if resume and not (folder / "config.json").is_file():
        yield f"nothing to go on with in {folder}, so the training begins"


def run_name(config: TrainConfig) -> str:
    """A folder name that tells what a config has of its own."""
    own = is_own(config.data)
    parts = [pathlib.Path(config.data).stem if own else config.data, config.model]
    if config.activation != TrainConfig.activation:
        parts.append(config.activation)
    if not config.spiking:
        pass
    elif config.budget is not None:
        parts += [config.penalty, "budget", config.budget.replace(" ", "")]
    elif config.penalty == "none" or not config.weight:
        parts.append("none")
    else:
        parts += [config.penalty, f"{config.weight:g}"]
    for field in dataclasses.fields(TrainConfig):
        value = getattr(config, field.name)
        if field.name in _TOLD or value == field.default or not value:
            continue
        short = _SHORT.get(field.name, field.name.replace("_", "-"))
        if isinstance(value, str):
            parts.append(f"{short}-{pathlib.Path(value).stem}")
        else:
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            parts.append(short if value is True else f"{short}{shown}")
    name = "_".join([*parts, f"s{config.seed}"])
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
