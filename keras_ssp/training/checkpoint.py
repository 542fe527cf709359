"""Checkpoints that survive `kill -9`: one file per finished epoch, put there whole."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
from typing import Any

import keras

from keras_ssp._files import sync

# Epochs, and a digest of epochs and content: a file that was changed or renamed shows.
# (Files of earlier versions have no digest.)
_NAME = re.compile(r"checkpoint-(\d+)(?:-([0-9a-f]{16}))?\.weights\.h5")


class EpochCheckpoint(keras.callbacks.Callback):
    """Writes weights and optimizer state after each epoch.

    The file appears under its name only when it is complete, and the one before it
    goes only after that: at any moment there is one good checkpoint. Its name holds
    the number of finished epochs and a digest.

    Args:
        folder: Where to write `checkpoint-<epochs>-<digest>.weights.h5`.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        partial = self.folder / "partial.weights.h5"
        self.model.save_weights(partial, overwrite=True)
        sync(partial)
        digest = _digest(epoch + 1, partial)
        done = self.folder / f"checkpoint-{epoch + 1:05d}-{digest}.weights.h5"
        os.replace(partial, done)
        sync(self.folder)
        for path in self.folder.iterdir():
            if _NAME.fullmatch(path.name) and path != done:
                path.unlink()


def checkpoints(folder: pathlib.Path) -> dict[int, pathlib.Path]:
    """Finished epochs to file, in rising order."""
    found = {
        int(match.group(1)): path
        for path in folder.iterdir()
        if (match := _NAME.fullmatch(path.name))
    }
    return dict(sorted(found.items()))


def checkpoint_epoch(folder: pathlib.Path, model: keras.Model, epochs: int) -> int:
    """Loads the last checkpoint of a folder; returns how many epochs are finished.

    0 where there is none: the model is then left as it is.

    Args:
        folder: The folder.
        model: The compiled model.
        epochs: Epochs of the whole run.

    Raises:
        ValueError: If the checkpoint is damaged, or of more epochs than the run has.
    """
    found = checkpoints(folder)
    if not found:
        return 0
    epoch, path = found.popitem()
    remedy = "Remedy: begin the run anew (--overwrite)."
    if epoch > epochs:
        raise ValueError(
            f"{path} must be of a run of at most {epochs} epochs. Received: {epoch} "
            f"epochs. {remedy}"
        )
    match = _NAME.fullmatch(path.name)
    if match and match.group(2) not in (None, _digest(epoch, path)):
        raise ValueError(
            f"{path} is damaged: its content is not what was written. {remedy}"
        )
    # Slots must be there before their values can be loaded.
    model.optimizer.build(model.trainable_variables)
    try:
        model.load_weights(path)
    except Exception as error:  # of HDF5, Keras or NumPy, depending on the damage
        raise ValueError(
            f"{path} is damaged, or of another network: {error} {remedy}"
        ) from error
    return epoch


def _digest(epoch: int, path: pathlib.Path) -> str:
    content = hashlib.sha256(f"{epoch}:".encode())
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            content.update(block)
    return content.hexdigest()[:16]


class EpochRows(keras.callbacks.CSVLogger):
    """`CSVLogger` whose rows are on disk before the checkpoint of their epoch is."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self.csv_file is not None:
            self.csv_file.flush()
            os.fsync(self.csv_file.fileno())
