"""Numbers of one setting that was trained with several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class OverSeeds:
    """Mean and spread over the seeds; a subclass says what the `rows` are."""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """One row of numbers per seed."""
        raise NotImplementedError

    def mean(self, name: str) -> float:
        """Mean over the seeds."""
        return float(np.mean(self._values(name)))

    def std(self, name: str) -> float:
        """Sample standard deviation over the seeds, 0 for one."""
        values = self._values(name)
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    def point(self, energy: str = "synaptic_energy_pj") -> dict[str, float]:
        """The setting as `figures.accuracy_against_energy` draws it."""
        return {
            "energy_pj": self.mean(energy),
            "energy_pj_std": self.std(energy),
            "accuracy": self.mean("test_accuracy"),
            "accuracy_std": self.std("test_accuracy"),
        }

    def _values(self, name: str) -> list[float]:
        return [float(row[name]) for row in self.rows]
