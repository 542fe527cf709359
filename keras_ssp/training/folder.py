"""The folder of a training run: what is in it, and who may write there."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import pathlib
from collections.abc import Iterator

from keras_ssp._checks import shown
from keras_ssp._files import LOCK, locked, write_text
from keras_ssp.datasets import ImageData
from keras_ssp.training.checkpoint import checkpoints
from keras_ssp.training.config import TrainConfig
from keras_ssp.types import Config, StrPath, Table

# All that a run writes, and so all that `overwrite` may delete.
_OWN_FILES = (
    *("config.json", "data.json", "history.csv", "summary.json", "model.keras"),
    *("energy.json", "energy.md", "energy.png", "history.png"),
    *("checkpoint-*.weights.h5", "partial.weights.h5", "*.partial", "*.partial.keras"),
    "budget-*.npz",
)


_ANEW = "begin the run anew (--overwrite), or put a whole copy of the file there"


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

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from training in the folder.

        Raises:
            RuntimeError: If one does.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path, "trains there"):
            yield

    def prepare(self, config: TrainConfig, *, resume: bool, overwrite: bool) -> None:
        """Makes sure that a run may write here, and writes its config.

        Raises:
            FileExistsError: If the folder is in use, and neither is asked for.
            ValueError: If the run to resume has another config.
        """
        if self.path.exists() and {p.name for p in self.path.iterdir()} - {LOCK}:
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
        old, new = read_json(self.config_file), config.to_dict()
        if not old and checkpoints(self.path):
            raise ValueError(
                f"{self.config_file} must say how the checkpoint beside it was made. "
                f"Received: {'an empty table' if old == {} else 'no such file'}. "
                f"Remedy: {_ANEW}."
            )
        old = old or {}
        different = [k for k in new if k in old and old[k] != new[k]]
        if not self.data_file.is_file() and different == ["data"]:
            return  # without a data.json, config.json tells what was asked for
        if different:
            k = different[0]
            why = ""
            if "epochs" in different:
                why = (
                    " The learning rate falls over all epochs, so a longer training is "
                    "another one. Remedy: a folder of its own (--run-dir)."
                )
            raise ValueError(
                f"`config` must be that of the run to resume in {self.path}, but "
                f"differs in {', '.join(different)}. Received: {k}={new[k]!r}, was "
                f"{old[k]!r}.{why}"
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
        name = values.pop("data", None)
        if not isinstance(name, str):
            raise ValueError(
                f"{self.config_file} is damaged: it must say what `data` the run has. "
                f"Received: data={shown(name)}. Remedy: {_ANEW}."
            )
        return TrainConfig.from_dict(values).with_data(name)

    def history(self) -> dict[str, list[float]]:
        """The columns of `history.csv`."""
        return read_history(self.history_file)


def differences(record: Table, data: ImageData) -> list[str]:
    """What a data set differs in from what a `data.json` holds, by name."""
    return [k for k, v in data.describe().items() if k in record and record[k] != v]


def read_history(path: StrPath) -> dict[str, list[float]]:
    """The columns of a `history.csv`, without the epoch numbers.

    Raises:
        ValueError: If a line is damaged.
    """
    path = pathlib.Path(path)
    rows = list(csv.DictReader(io.StringIO(read_text(path), newline="")))
    names = [name for name in rows[0] if name != "epoch"] if rows else []
    found: dict[str, list[float]] = {name: [] for name in names}
    for k, row in enumerate(rows):
        for name in names:
            try:
                found[name].append(float(row[name]))
            except (TypeError, ValueError):
                raise ValueError(
                    f"Line {k + 2} of {path} is damaged: {name}={row[name]!r} is no "
                    f"number. Remedy: {_ANEW}."
                ) from None
    return found


def keep_rows(path: pathlib.Path, epochs: int) -> None:
    """Cuts a `history.csv` down to its first `epochs` rows, and makes it whole.

    A killed run may have written a row, or a part of one, whose epoch has no
    checkpoint.

    Raises:
        ValueError: If there are fewer rows than epochs with a checkpoint.
    """
    if not path.is_file():
        lines = []
    else:
        lines = read_text(path).splitlines(keepends=True)
    whole = [line for line in lines[1 : epochs + 1] if line.endswith("\n")]
    if epochs and len(whole) < epochs:
        raise ValueError(
            f"{path} must have a row for each of the {epochs} epochs that the "
            f"checkpoint beside it has behind it. Received: {len(whole)}. "
            f"Remedy: {_ANEW}."
        )
    if lines:
        write_text(path, "".join([lines[0], *whole]) if epochs else "")


def write_json(path: pathlib.Path, values: object) -> None:
    """Writes plain values as indented JSON, whole or not at all."""
    write_text(path, json.dumps(values, indent=2) + "\n")


def read_json(path: pathlib.Path) -> Config | None:
    """The values in a file, `None` where there is none; it may go at any moment.

    Raises:
        ValueError: If the file does not hold a table of names and values.
    """
    try:
        values = json.loads(read_text(path))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}. Remedy: {_ANEW}.") from error
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} is damaged: it must hold a table of names and values. Received: "
            f"{shown(values)}. Remedy: {_ANEW}."
        )
    return values


def read_text(path: pathlib.Path) -> str:
    """The text of a file.

    Raises:
        ValueError: If it is no text.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}. Remedy: {_ANEW}.") from error
