"""`keras-ssp train`."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from keras_ssp.cli.flags import (
    config_flags,
    config_values,
    data_dir_flag,
    import_flag,
    new_command,
    verbose_flag,
)
from keras_ssp.training.config import TrainConfig


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
    import_flag(command)
    command.add_argument(
        "--resume", action="store_true", help="go on from the folder's checkpoint"
    )
    command.add_argument(
        "--overwrite", action="store_true", help="throw away what is in the folder"
    )
    verbose_flag(command)
    config_flags(command)


def _train(arguments: Any) -> None:
    from keras_ssp import training

    config = TrainConfig.from_dict(config_values(arguments))
    folder = arguments.run_dir or pathlib.Path("runs") / run_name(config)
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


def run_name(config: TrainConfig) -> str:
    """A folder name that tells a config's main choices."""
    parts = [config.data, config.model]
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
    return "_".join([*parts, f"s{config.seed}"])
