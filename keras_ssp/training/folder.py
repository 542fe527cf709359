"""The folder of a training run: what is in it, and who may write there."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import uuid

from keras_ssp.datasets import ImageData
from keras_ssp.training.checkpoint import checkpoints
from keras_ssp.training.config import TrainConfig
from keras_ssp.types import Config, StrPath, Table

# All that a run writes, and so all that `overwrite` may delete.
_OWN_FILES = (
    *("config.json", "data.json", "history.csv", "summary.json", "model.keras"),
    *("energy.json", "energy.md", "energy.png", "history.png"),
    *("checkpoint-*.weights.h5", "partial.weights.h5", "*.partial"),
    "budget-*.npz",
)


class RunFolder:
    """The files of one run.

    Args:
        path: The folder; it need not exist.

    Example:

    >>> RunFolder("runs/mine").config_file.name
    'config.json'
    """

    def __init__(self, path: StrPath) -> None:
        self.path = pathlib.Path(path)
        self.config_file = self.path / "config.json"
        self.data_file = self.path / "data.json"
        self.history_file = self.path / "history.csv"
        self.model_file = self.path / "model.keras"
        self.summary_file = self.path / "summary.json"

    def prepare(self, config: TrainConfig, *, resume: bool, overwrite: bool) -> None:
        """Makes sure that a run may write here, and writes its config.

        Raises:
            FileExistsError: If the folder is in use, and neither is asked for.
            ValueError: If the run to resume has another config.
        """
        if self.path.exists() and any(self.path.iterdir()):
            if overwrite:
                for pattern in _OWN_FILES:
                    for path in self.path.glob(pattern):
                        path.unlink()
            elif resume:
                self._check_config(config)
            else:
                raise FileExistsError(
                    "`run_dir` must be a new or empty folder. Received: "
                    f"run_dir={self.path}. Remedy: choose another one, go on with its "
                    "run (--resume), or throw it away (--overwrite)."
                )
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.config_file, config.to_dict())

    def _check_config(self, config: TrainConfig) -> None:
        old, new = read_json(self.config_file) or {}, config.to_dict()
        different = [k for k in new if k in old and old[k] != new[k]]
        if not self.data_file.is_file() and different == ["data"]:
            return  # without a data.json, config.json tells what was asked for
        if different:
            k = different[0]
            raise ValueError(
                f"`config` must be that of the run to resume in {self.path}, but "
                f"differs in {', '.join(different)}. Received: {k}={new[k]!r}, was "
                f"{old[k]!r}."
            )

    def record_data(self, data: ImageData) -> None:
        """Writes what the run is trained on, or compares it with what it was.

        A folder with a checkpoint and no `data.json` is that of an earlier version:
        nobody knows what its first epochs saw, so nothing is written.

        Raises:
            ValueError: If the run was started with other data.
        """
        record = self.data_record()
        if record is not None:
            different = differences(record, data)
            if different:
                raise ValueError(
                    f"`data` must be that which the run in {self.path} was started "
                    f"with, but differs in {', '.join(different)}. Received: data="
                    f"{data.name!r}, fingerprint {data.fingerprint}; was "
                    f"{record['name']!r}, fingerprint {record['fingerprint']}."
                )
        elif not checkpoints(self.path):
            described = data.describe()
            record = {"name": described.pop("name"), "fingerprint": data.fingerprint}
            write_json(self.data_file, record | described)

    def data_record(self) -> Config | None:
        """What `data.json` holds, `None` where there is none."""
        return read_json(self.data_file)

    def config(self) -> TrainConfig | None:
        """The config of the run, `None` where there is no `config.json`.

        The name of its data may be one that nobody has registered.
        """
        values = read_json(self.config_file)
        if values is None:
            return None
        name = values.pop("data")
        return TrainConfig.from_dict(values).with_data(name)

    def history(self) -> dict[str, list[float]]:
        """The columns of `history.csv`."""
        return read_history(self.history_file)


def differences(record: Table, data: ImageData) -> list[str]:
    """What a data set differs in from what a `data.json` holds, by name."""
    return [k for k, v in data.describe().items() if k in record and record[k] != v]


def read_history(path: StrPath) -> dict[str, list[float]]:
    """The columns of a `history.csv`, without the epoch numbers."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "epoch"] if rows else []
    return {name: [float(row[name]) for row in rows] for name in names}


def keep_rows(path: pathlib.Path, epochs: int) -> None:
    """Cuts a `history.csv` down to its first `epochs` rows, and makes it whole.

    A killed run may have written a row, or a part of one, whose epoch has no
    checkpoint.
    """
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    _replace(path, "".join(lines[: epochs + 1] if epochs else []))


def write_json(path: pathlib.Path, values: object) -> None:
    """Writes plain values as indented JSON, whole or not at all."""
    _replace(path, json.dumps(values, indent=2) + "\n")


def read_json(path: pathlib.Path) -> Config | None:
    """The values in a file, `None` where there is none; it may go at any moment."""
    try:
        values: Config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return values


def _replace(path: pathlib.Path, text: str) -> None:
    # Two processes, on two machines, may write the same file at the same time.
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
