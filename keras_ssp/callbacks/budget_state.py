"""The file in which a budget is kept between two parts of one training."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

from keras_ssp._files import replacing
from keras_ssp.types import Array, Config, StrPath

# As many as checkpoints: one is whole while the next is being written.
KEPT = 2


class BudgetFolder:
    """Files `budget-<epochs>.npz`, each put there whole.

    Args:
        path: The folder; it need not exist.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = pathlib.Path(path)

    def write(self, epoch: int, values: Config, arrays: dict[str, Array]) -> None:
        """Writes the state after a number of finished epochs."""
        self.path.mkdir(parents=True, exist_ok=True)
        named: dict[str, Any] = {"values": np.array(json.dumps(values)), **arrays}
        with replacing(self._file(epoch)) as partial, open(partial, "wb") as file:
            np.savez(file, **named)
        for path in sorted(self.path.glob("budget-*.npz"))[:-KEPT]:
            path.unlink()

    def read(self, epoch: int) -> tuple[Config, dict[str, Array]] | None:
        """The state after a number of finished epochs, `None` where there is none."""
        path = self._file(epoch)
        if not path.is_file():
            return None
        with np.load(path) as file:
            arrays = dict(file)
        values: Config = json.loads(str(arrays.pop("values")))
        return values, arrays

    def _file(self, epoch: int) -> pathlib.Path:
        return self.path / f"budget-{epoch:05d}.npz"
