"""`keras-ssp report`."""

from __future__ import annotations

import pathlib
from typing import Any

from keras_ssp import datasets
from keras_ssp._checks import positive_int
from keras_ssp.cli.flags import data_dir_flag, import_flag, new_command, verbose_flag
from keras_ssp.energy import EnergyReport, hardware

_FORMATS = ("text", "json", "markdown", "csv")


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "report",
        "measure the energy of a trained model",
        _report,
        epilog="Example: keras-ssp report runs/digits_small_cnn_none_s0 "
        "--energy-model loihi",
    )
    command.add_argument(
        "model",
        type=pathlib.Path,
        help="a run folder of `train`, a .keras file, or a version that was exported "
        "(saved_models/name/1)",
    )
    command.add_argument(
        "--data",
        default=None,
        help=f"data set: {', '.join(datasets.names())} (default: the one of the run)",
    )
    data_dir_flag(command)
    import_flag(command)
    command.add_argument(
        "--samples",
        type=int,
        default=None,
        help="test images to use at most (default: all)",
    )
    command.add_argument(
        "--energy-model",
        default=None,
        help=f"what operations cost: {', '.join(hardware.names())} (default: cmos45; "
        "of an exported model, the one that it was exported with)",
    )
    command.add_argument(
        "--format", choices=_FORMATS, default="text", help="default: text"
    )
    command.add_argument(
        "--output", type=pathlib.Path, default=None, help="file instead of the terminal"
    )
    command.add_argument(
        "--plot", type=pathlib.Path, default=None, help="image file of the layers"
    )
    verbose_flag(command)


def _report(arguments: Any) -> None:
    from keras_ssp.training import load_run

    # A typing error shows before anything is read.
    energy = hardware.get(arguments.energy_model or "cmos45")
    samples = positive_int("samples", arguments.samples, optional=True)
    if (arguments.model / "saved_model.pb").is_file():
        report = _of_exported(arguments, samples)
    else:
        run = load_run(
            arguments.model, data=arguments.data, data_dir=arguments.data_dir
        )
        report = run.report(
            samples=samples,
            energy_model=energy,
            # A progress bar before JSON would spoil it for the next program.
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


def _of_exported(arguments: Any, samples: int | None) -> EnergyReport:
    """The report of an exported model, which runs without the one it was made of."""
    from keras_ssp.serving.exported import ExportedModel
    from keras_ssp.training.evaluation import EVALUATION_BATCH

    exported = ExportedModel(arguments.model)
    name = arguments.data or exported.data_name
    if name is None:
        raise ValueError(
            "`data` must be given for a model whose energy card names no data set "
            f"(--data digits, ...). Received: data=None, model={arguments.model}."
        )
    return exported.report(
        datasets.load(name, data_dir=arguments.data_dir),
        energy_model=arguments.energy_model,
        batch_size=EVALUATION_BATCH,
        samples=samples,
    )
