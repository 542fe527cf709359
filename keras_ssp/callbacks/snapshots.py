"""Weights of a network near its budget, to end training with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from keras_ssp.types import Array, Config

#: Halvings of the line between two networks.
HALVINGS = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
    """A network as it was: what it spent, and its weights on the host."""

    spent: float
    weights: list[Array]


class Snapshots:
    """The last networks above, below and within a band of what may be spent.

    Args:
        low: Lower end of the band.
        high: Upper end, the budget itself.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high
        self.kept: dict[str, Snapshot] = {}

    def side(self, spent: float) -> str:
        """Where something spent lies: `"below"`, `"within"` or `"above"`."""
        if spent > self.high:
            return "above"
        return "within" if spent >= self.low else "below"

    def take(self, model: keras.Model, spent: float) -> None:
        """Keeps the network as it is now, in place of the last on the same side."""
        weights = [np.array(w) for w in model.get_weights()]
        if not all(np.all(np.isfinite(w)) for w in weights):
            return  # never something to end with, however cheap
        self.kept[self.side(spent)] = Snapshot(spent, weights)

    def settle(self, model: keras.Model, measure: Callable[[], float]) -> float | None:
        """Gives the model weights within the band; returns what it then spends.

        The last network within the band, or else one on the line between the last
        above and the last below: near the end of training these are neighbours.

        Args:
            model: The model.
            measure: Measures what the model spends.

        Returns:
            `None` if no such weights are known; the model is then left as it was.
        """
        before = [np.array(w) for w in model.get_weights()]
        within = self.kept.get("within")
        if within is not None:
            model.set_weights(within.weights)
            return measure()
        if not {"above", "below"} <= set(self.kept):
            return None
        # `share` of the way up, between a share that is too low and one too high.
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            share = (low + high) / 2
            model.set_weights(self._between(share))
            spent = measure()
            side = self.side(spent)
            if side == "within":
                return spent
            low, high = (share, high) if side == "below" else (low, share)
        model.set_weights(before)
        return None

    def _between(self, share: float) -> list[Array]:
        below, above = self.kept["below"].weights, self.kept["above"].weights
        return [_mixed(a, b, share) for a, b in zip(below, above, strict=True)]

    def get_state(self) -> tuple[Config, dict[str, Array]]:
        """What a resumed training needs: plain values, and arrays by name."""
        values = {side: s.spent for side, s in self.kept.items()}
        arrays = {
            f"{side}_{k}": w
            for side, s in self.kept.items()
            for k, w in enumerate(s.weights)
        }
        return values, arrays

    def set_state(self, values: Config, arrays: dict[str, Array]) -> None:
        """Restores what `get_state` gave."""
        self.kept = {}
        for side, spent in values.items():
            count = sum(name.startswith(f"{side}_") for name in arrays)
            weights = [arrays[f"{side}_{k}"] for k in range(count)]
            self.kept[side] = Snapshot(spent, weights)


def _mixed(a: Array, b: Array, share: float) -> Array:
    if not np.issubdtype(a.dtype, np.floating):
        return b
    return ((1.0 - share) * a.astype("float64") + share * b).astype(a.dtype)
