"""`keras-ssp spikes`."""

from __future__ import annotations

import pathlib
from typing import Any

from keras_ssp import figures
from keras_ssp._checks import positive_int, whole
from keras_ssp.cli.flags import (
    check_data,
    data_dir_flag,
    download_flag,
    import_flag,
    new_command,
)
from keras_ssp.energy import record

_KINDS = ("raster", "rates", "time", "potentials")


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "spikes",
        "draw what the neurons of a trained model do",
        _spikes,
        epilog="Example: keras-ssp spikes runs/fashion --sample 3",
    )
    command.add_argument(
        "model", type=pathlib.Path, help="a run folder of `train`, or a .keras file"
    )
    command.add_argument(
        "--kind",
        choices=_KINDS,
        default="raster",
        help="raster: when each neuron fired; rates: how many neurons have which rate; "
        "time: how many fire at each step; potentials: of the busiest neurons "
        "(default: raster)",
    )
    command.add_argument(
        "--sample",
        type=int,
        default=0,
        help="which test sample raster and potentials show (default: 0)",
    )
    command.add_argument(
        "--samples",
        type=int,
        default=100,
        help="test samples that rates and time are means over (default: 100)",
    )
    command.add_argument(
        "--layers", nargs="+", default=None, help="layers by name (default: all)"
    )
    command.add_argument(
        "--output",
        type=pathlib.Path,
        default=None,
        help="image file (default: spikes_KIND.png beside the model)",
    )
    command.add_argument("--data", default=None, help="data set (default: the run's)")
    data_dir_flag(command)
    download_flag(command)
    import_flag(command)


def _spikes(arguments: Any) -> None:
    from keras_ssp.training import load_run

    sample = whole("sample", arguments.sample)
    samples = positive_int("samples", arguments.samples)
    check_data(arguments.data, arguments)
    run = load_run(arguments.model, data=arguments.data, data_dir=arguments.data_dir)
    x = run.data.inputs("test").x
    single = arguments.kind in ("raster", "potentials")
    if single and sample >= len(x):
        raise ValueError(
            f"`sample` must be below {len(x)}, the test samples of "
            f"'{run.data.name}'. Received: sample={sample}."
        )
    found = record(
        run.model,
        x[sample : sample + 1] if single else x[:samples],
        layers=arguments.layers,
        potentials=arguments.kind == "potentials",
    )
    folder = arguments.model if arguments.model.is_dir() else arguments.model.parent
    path = arguments.output or folder / f"spikes_{arguments.kind}.png"
    draw = {
        "raster": figures.raster,
        "rates": figures.spike_rates,
        "time": figures.spikes_over_time,
        "potentials": figures.potentials,
    }[arguments.kind]
    draw(found, path)
    print(f"written to {path}")
