"""`keras-ssp compare`."""

from __future__ import annotations

import pathlib
from typing import Any

from keras_ssp._config_file import read_config
from keras_ssp.cli.flags import (
    check_data,
    data_dir_flag,
    download_flag,
    import_flag,
    new_command,
    verbose_flag,
)


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "compare",
        "run a grid of penalties, lambda, p, surrogates and seeds, and compare what "
        "they save at equal accuracy",
        _compare,
        epilog="An interrupted study goes on when it is called again. Example: "
        "keras-ssp compare docs/results/fashion_mnist_study.toml --out runs/fashion",
    )
    command.add_argument(
        "study",
        type=pathlib.Path,
        help="file with the tables [train] (values of `train`'s flags) and [grid] "
        "(penalties, weights, p, surrogates, seeds, ...)",
    )
    command.add_argument(
        "--out", type=pathlib.Path, required=True, help="folder for the results"
    )
    data_dir_flag(command)
    download_flag(command)
    import_flag(command)
    command.add_argument(
        "--jobs",
        type=int,
        default=1,
        help="trainings that run side by side (default: 1)",
    )
    command.add_argument(
        "--drops",
        type=float,
        nargs="+",
        default=(0.5, 1.0, 2.0),
        help="points of accuracy that may be given up (default: 0.5 1 2)",
    )
    command.add_argument(
        "--tables-only", action="store_true", help="train nothing, write the tables"
    )
    verbose_flag(command)
    command.set_defaults(go_on="; the same command goes on")


def _compare(arguments: Any) -> None:
    from keras_ssp.studies import report as comparison
    from keras_ssp.studies.grid import Study
    from keras_ssp.studies.results import RESULTS, read_results
    from keras_ssp.studies.runner import compare

    study = Study.from_dict(read_config(arguments.study))
    if arguments.tables_only:
        rows = read_results(arguments.out / RESULTS)
    else:
        check_data(study.base.data, arguments)
        rows = compare(
            study,
            arguments.out,
            data_dir=arguments.data_dir,
            jobs=arguments.jobs,
            imports=arguments.imports,
            verbose=arguments.verbose,
        )
    print(
        comparison.write(
            rows,
            arguments.out,
            drops=[points / 100 for points in arguments.drops],
            data_dir=arguments.data_dir,
            title=f"{study.base.model} on {study.base.data}",
        )
    )
    print(f"written to {arguments.out}")
