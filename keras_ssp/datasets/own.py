"""Data of one's own by name: a file, a folder, or `tfds:NAME`."""

from __future__ import annotations

import os
import pathlib

from keras_ssp.datasets.arrays import from_npz
from keras_ssp.datasets.folders import from_folder, from_tfds
from keras_ssp.datasets.images import ImageData

#: What a name may be besides the name of a data set, for people.
KINDS = "an .npz file, a folder of images, or tfds:NAME"
_TFDS = "tfds:"


def is_own(name: object) -> bool:
    """Whether a name is that of a file, of a folder, or `tfds:NAME`."""
    if not isinstance(name, str):
        return False
    separators = {"/", os.sep}
    return (
        name.startswith(_TFDS)
        or name.endswith(".npz")
        or any(s in name for s in separators)
        or pathlib.Path(name).is_dir()
    )


def load_own(name: str, data_dir: str | None, validation: float) -> ImageData:
    """The data set of such a name."""
    if name.startswith(_TFDS):
        rest = name.removeprefix(_TFDS)
        return from_tfds(rest, data_dir=data_dir, validation=validation)
    if name.endswith(".npz"):
        return from_npz(name, validation=validation)
    return from_folder(name, validation=validation)


def require_own(name: str, folder: pathlib.Path) -> None:
    """Makes sure that it is on this machine.

    Args:
        name: Such a name.
        folder: Where tensorflow-datasets keeps its data.

    Raises:
        FileNotFoundError: If it is not.
    """
    if name.startswith(_TFDS):
        base = name.removeprefix(_TFDS).partition(":")[0]
        if not any((folder / base).glob("**/dataset_info.json")):
            raise FileNotFoundError(
                f"Data set '{base}' of tensorflow-datasets is not in {folder}. Remedy: "
                "--download, or --data-dir (TFDS_DATA_DIR) where it is."
            )
    elif not pathlib.Path(name).exists():
        raise FileNotFoundError(
            f"`data` must be {KINDS}, or the name of a data set. Received: "
            f"data={name!r}, which does not exist (--data names where it is now)."
        )
