"""`keras-ssp doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

from keras_ssp import __version__, datasets
from keras_ssp._extras import INSTALLED_BY
from keras_ssp.cli.flags import data_dir_flag, new_command
from keras_ssp.tables import Column, Table

_REQUIRED = ("keras", "tensorflow", "tensorflow-datasets", "keras-tuner", "numpy")


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "doctor",
        "say what is installed, which devices there are and where the data sets are",
        _doctor,
    )
    data_dir_flag(command)


def _doctor(arguments: Any) -> None:
    import keras

    backend = keras.backend.backend()
    rows = [
        ("keras-ssp", __version__),
        ("python", f"{platform.python_version()}, {platform.platform()}"),
        *((name, _version(name)) for name in _REQUIRED),
        ("backend", f"{backend} (KERAS_BACKEND={os.environ.get('KERAS_BACKEND', '')})"),
        ("devices", ", ".join(keras.distribution.list_devices()) or _cpus()),
    ]
    for extra, name in INSTALLED_BY.items():
        found = _version(name)
        if found == _MISSING:
            found = f'{_MISSING}; pip install "keras-ssp[{extra}]"'
        rows.append((f"[{extra}] {name}", found))
    rows += [(f"data: {name}", _where(name, arguments)) for name in datasets.names()]
    print(Table(["what", Column(header="found", left=True)], rows).text())


_MISSING = "not installed"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return _MISSING


def _cpus() -> str:
    return f"{os.cpu_count()} processors, no accelerator"


def _where(name: str, arguments: Any) -> str:
    try:
        datasets.require_local(name, arguments.data_dir)
    except FileNotFoundError:
        return "not on this machine; --download, or --data-dir where it is"
    return "here"
