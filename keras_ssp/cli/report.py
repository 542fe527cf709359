"""`keras-ssp report`."""

from __future__ import annotations

import pathlib
from typing import Any

from keras_ssp import datasets
from keras_ssp._checks import one_of, positive_int
from keras_ssp.cli.flags import (
    check_data,
    data_dir_flag,
    download_flag,
    import_flag,
    new_command,
    verbose_flag,
)
from keras_ssp.datasets.own import KINDS
from keras_ssp.energy import (
    EnergyModel,
    EnergyReport,
    ReportComparison,
    compare_reports,
    hardware,
)
from keras_ssp.energy.rows import COLUMNS

_FORMATS = ("text", "json", "markdown", "csv", "html")


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "report",
        "measure the energy of trained models",
        _report,
        epilog="Examples: keras-ssp report runs/digits_small_cnn_none_s0 "
        "--energy-model loihi; keras-ssp report runs/before runs/after",
    )
    command.add_argument(
        "model",
        type=pathlib.Path,
        nargs="+",
        help="a run folder of `train`, a .keras file, or a version that was exported "
        "(saved_models/name/1); of two or more, the energies are put side by side",
    )
    command.add_argument(
        "--data",
        default=None,
        help=f"data set: {', '.join(datasets.names())}, {KINDS} (default: the one of "
        "the run)",
    )
    data_dir_flag(command)
    download_flag(command)
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
        help=f"what operations cost: {', '.join(hardware.names())}, or a .toml or "
        ".json file with ac_pj, mac_pj, ... (default: the one that it was trained or "
        "exported with, else cmos45)",
    )
    command.add_argument(
        "--format", choices=_FORMATS, default="text", help="default: text"
    )
    _column_flags(command)
    command.add_argument(
        "--output", type=pathlib.Path, default=None, help="file instead of the terminal"
    )
    command.add_argument(
        "--plot", type=pathlib.Path, default=None, help="image file of the layers"
    )
    verbose_flag(command)


def _column_flags(command: Any) -> None:
    command.add_argument("--wide", action="store_true", help="all columns in the text")
    command.add_argument(
        "--columns",
        default=None,
        help="columns of the text, by name and with commas between them, such as "
        f"spikes,macs: {', '.join(COLUMNS)}",
    )


def _report(arguments: Any) -> None:
    # A typing error shows before anything is read.
    given = arguments.energy_model
    energy = None if given is None else hardware.get(given)
    samples = positive_int("samples", arguments.samples, optional=True)
    columns = None
    if arguments.columns is not None:
        wanted = [name.strip() for name in arguments.columns.split(",")]
        columns = [one_of("columns", name, tuple(COLUMNS)) for name in wanted]
    reports = [_measured(path, arguments, samples, energy) for path in arguments.model]
    found: EnergyReport | ReportComparison = reports[0]
    if len(reports) > 1:
        names = [str(path) for path in arguments.model]
        found = compare_reports(*reports, names=names)
    if arguments.plot is not None:
        found.plot(arguments.plot)
    written = _written(found, arguments, columns)
    if arguments.output is None:
        print(written)
    else:
        arguments.output.write_text(written + "\n", encoding="utf-8")
        print(f"written to {arguments.output}")


def _written(
    found: EnergyReport | ReportComparison, arguments: Any, columns: list[str] | None
) -> str:
    """A report or a comparison in the format asked for."""
    if isinstance(found, EnergyReport):
        return {
            "text": lambda: found.text(wide=arguments.wide, columns=columns),
            "json": found.to_json,
            "markdown": found.to_markdown,
            "csv": found.to_csv,
            "html": found.to_html,
        }[arguments.format]()
    table = found.table()
    return {
        "text": lambda: str(found),
        "json": found.to_json,
        "markdown": table.markdown,
        "csv": table.csv,
        "html": found.to_html,
    }[arguments.format]()


def _measured(
    path: pathlib.Path, arguments: Any, samples: int | None, energy: EnergyModel | None
) -> EnergyReport:
    from keras_ssp.training import load_run

    if (path / "saved_model.pb").is_file():
        return _of_exported(path, arguments, samples)
    check_data(arguments.data, arguments)
    run = load_run(path, data=arguments.data, data_dir=arguments.data_dir)
    kept = "cmos45" if run.config is None else run.config.energy_model
    return run.report(
        samples=samples,
        energy_model=kept if energy is None else energy,
        # A progress bar before JSON would spoil it for the next program.
        verbose=arguments.verbose if arguments.format == "text" else 0,
    )


def _of_exported(
    path: pathlib.Path, arguments: Any, samples: int | None
) -> EnergyReport:
    """The report of an exported model, which runs without the one it was made of."""
    from keras_ssp.serving.exported import ExportedModel
    from keras_ssp.training.evaluation import EVALUATION_BATCH

    exported = ExportedModel(path)
    name = arguments.data or exported.data_name
    if name is None:
        raise ValueError(
            "`data` must be given for a model whose energy card names no data set "
            f"(--data digits, ...). Received: data=None, model={path}."
        )
    return exported.report(
        datasets.load(name, data_dir=arguments.data_dir),
        energy_model=arguments.energy_model,
        batch_size=EVALUATION_BATCH,
        samples=samples,
    )
