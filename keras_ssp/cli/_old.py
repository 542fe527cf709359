"""The command line: `keras-ssp demo | train | report`."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from keras_ssp import __version__
from keras_ssp.config import TrainConfig, choices, read_config

_FORMATS = ("text", "json", "markdown", "csv")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    # A command builds many models; TensorFlow takes each one's trace for a retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError, ImportError) as error:
        print(f"keras-ssp {arguments.command}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nkeras-ssp: interrupted; --resume goes on", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="keras-ssp",
        description="Spiking neural networks in Keras 3 that know what they cost.",
        epilog="`keras-ssp COMMAND --help` tells more about a command.",
    )
    top.add_argument("--version", action="version", version=f"keras-ssp {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_train(commands)
    _add_report(commands)
    return top


def _command(commands: Any, name: str, help: str, run: Any, **kwargs: Any) -> Any:
    command = commands.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        **kwargs,
    )
    command.set_defaults(run=run)
    return command


def _add_verbose(command: Any) -> None:
    command.add_argument(
        "--verbose",
        type=int,
        choices=(0, 1, 2),
        default=1,
        help="1 progress bars, 2 a line per epoch, 0 nothing",
    )


# --- demo -----------------------------------------------------------------------


def _add_demo(commands: Any) -> None:
    command = _command(
        commands,
        "demo",
        "train a small network on scikit-learn's digits with and without the penalty, "
        "and show what it saves",
        _demo,
    )
    command.add_argument(
        "--out", type=pathlib.Path, default="runs/demo", help="folder for the results"
    )
    command.add_argument(
        "--seeds", type=int, default=3, help="trainings of each setting, averaged"
    )


def _demo(arguments: Any) -> None:
    from keras_ssp import demo

    demo.run(arguments.out, seeds=arguments.seeds)


# --- train ----------------------------------------------------------------------


def _add_train(commands: Any) -> None:
    command = _command(
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
    _add_data_dir(command)
    command.add_argument(
        "--resume", action="store_true", help="go on from the folder's checkpoint"
    )
    command.add_argument(
        "--overwrite", action="store_true", help="throw away what is in the folder"
    )
    _add_verbose(command)
    add_config_flags(command)


def _add_data_dir(command: Any) -> None:
    command.add_argument(
        "--data-dir",
        default=os.environ.get("TFDS_DATA_DIR"),
        help="where the data sets are (default: the variable TFDS_DATA_DIR)",
    )


def add_config_flags(command: Any) -> None:
    """Adds a flag for every field of `TrainConfig`; only given ones are set."""
    group = command.add_argument_group("training")
    for field in dataclasses.fields(TrainConfig):
        flag = f"--{field.name.replace('_', '-')}"
        kwargs: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": field.name}
        text = f"{field.metadata['help']} (default: {field.default})"
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
    print(f"written to       {folder}")


def run_name(config: TrainConfig) -> str:
    """A folder name that tells a config's main choices."""
    parts = [config.data, config.model]
    if config.activation != "lif":
        parts.append(config.activation)
    elif config.penalty == "none" or not config.weight:
        parts.append("none")
    else:
        parts += [config.penalty, f"{config.weight:g}"]
    return "_".join([*parts, f"s{config.seed}"])


# --- report ---------------------------------------------------------------------


def _add_report(commands: Any) -> None:
    command = _command(
        commands,
        "report",
        "measure the energy of a trained model",
        _report,
        epilog="Example: keras-ssp report runs/digits_small_cnn_none_s0 "
        "--energy-model loihi",
    )
    command.add_argument(
        "model", type=pathlib.Path, help="a run folder of `train`, or a .keras file"
    )
    command.add_argument(
        "--data", default=None, help="data set (default: the one of the run)"
    )
    _add_data_dir(command)
    command.add_argument(
        "--samples", type=int, default=None, help="use only so many test images"
    )
    command.add_argument("--energy-model", default="cmos45", help="what it costs")
    command.add_argument("--format", choices=_FORMATS, default="text", help="of output")
    command.add_argument(
        "--output", type=pathlib.Path, default=None, help="file instead of the terminal"
    )
    command.add_argument(
        "--plot", type=pathlib.Path, default=None, help="image file of the layers"
    )
    _add_verbose(command)


def _report(arguments: Any) -> None:
    from keras_ssp.reporting import report_on

    report = report_on(
        arguments.model,
        data=arguments.data,
        data_dir=arguments.data_dir,
        samples=arguments.samples,
        energy_model=arguments.energy_model,
        # A progress bar in front of JSON would spoil it for the next program.
        verbose=arguments.verbose if arguments.format == "text" else 0,
    )
    if arguments.plot is not None:
        report.plot(arguments.plot)
    written = {
        "text": lambda: str(report),
        "json": report.to_json,
        "markdown": report.to_markdown,
        "csv": report.to_csv,
    }[arguments.format]()
    if arguments.output is None:
        print(written)
    else:
        arguments.output.write_text(written + "\n", encoding="utf-8")
        print(f"written to {arguments.output}")
