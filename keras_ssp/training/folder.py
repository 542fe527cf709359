"""The folder of a training run: what is in it and who may write there."""

from __future__ import annotations

import csv
import json
import os
import pathlib
from typing import Any

from keras_ssp.training.config import TrainConfig


def read_history(path: str | pathlib.Path) -> dict[str, list[float]]:
    """The columns of a `history.csv`, without the epoch numbers."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "epoch"] if rows else []
    return {name: [float(row[name]) for row in rows] for name in names}


# All that a run writes, and so all that `overwrite` may delete.
_OWN_FILES = (
    *("config.json", "history.csv", "summary.json", "model.keras"),
    *("energy.json", "energy.md", "energy.png", "history.png"),
    *("checkpoint-*.weights.h5", "partial.weights.h5", "*.partial"),
)


def prepared(
    folder: pathlib.Path, config: TrainConfig, resume: bool, overwrite: bool
) -> pathlib.Path:
    """Makes sure that a run may write into `folder`, and puts its config there."""
    if folder.exists() and any(folder.iterdir()):
        if overwrite:
            for pattern in _OWN_FILES:
                for path in folder.glob(pattern):
                    path.unlink()
        elif resume:
            _check_same(folder, config)
        else:
            raise FileExistsError(
                f"`run_dir` must be a new or empty folder. Received: run_dir={folder}. "
                "Remedy: choose another one, go on with its run (--resume), or throw "
                "it away (--overwrite)."
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config.to_dict())
    return folder


def _check_same(folder: pathlib.Path, config: TrainConfig) -> None:
    path = folder / "config.json"
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    new = config.to_dict()
    different = [k for k in new if k in old and old[k] != new[k]]
    if different:
        k = different[0]
        raise ValueError(
            f"`config` must be that of the run to resume in {folder}, but differs in "
            f"{', '.join(different)}. Received: {k}={new[k]!r}, was {old[k]!r}."
        )


def keep_rows(path: pathlib.Path, epochs: int) -> None:
    """Cuts a `history.csv` down to its first `epochs` rows, and makes it whole.

    A killed run may have written a row, or a part of one, whose epoch no checkpoint
    vouches for.
    """
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    _replace(path, "".join(lines[: epochs + 1] if epochs else []))


def write_json(path: pathlib.Path, values: Any) -> None:
    """Writes plain values as indented JSON, whole or not at all."""
    _replace(path, json.dumps(values, indent=2) + "\n")


def _replace(path: pathlib.Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
