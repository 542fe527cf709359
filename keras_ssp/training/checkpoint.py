"""Checkpoints that survive `kill -9`: one file per finished epoch, put there whole."""

from __future__ import annotations

import os
import pathlib
import re
from typing import Any

import keras

_NAME = re.compile(r"checkpoint-(\d+)\.weights\.h5")


class EpochCheckpoint(keras.callbacks.Callback):
    """Writes weights and optimizer state after each epoch.

    The file appears under its name only when it is complete, and the one before it
    goes only after that: at any moment there is one good checkpoint. Its name holds
    the number of finished epochs.

    Args:
        folder: Where to write `checkpoint-<epochs>.weights.h5`.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        partial = self.folder / "partial.weights.h5"
        self.model.save_weights(partial, overwrite=True)
        done = self.folder / f"checkpoint-{epoch + 1:05d}.weights.h5"
        os.replace(partial, done)
        for path in checkpoints(self.folder).values():
            if path != done:
                path.unlink()


def checkpoints(folder: pathlib.Path) -> dict[int, pathlib.Path]:
    """Finished epochs to file, in rising order."""
    found = {
        int(match.group(1)): path
        for path in folder.iterdir()
        if (match := _NAME.fullmatch(path.name))
    }
    return dict(sorted(found.items()))


def checkpoint_epoch(folder: pathlib.Path, model: keras.Model) -> int:
    """Loads the last checkpoint of a folder; returns how many epochs are finished.

    0 where there is none: the model is then left as it is.
    """
    found = checkpoints(folder)
    if not found:
        return 0
    epoch, path = found.popitem()
    # Slots must be there before their values can be loaded.
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    return epoch
