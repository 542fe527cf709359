"""The guard against layers that a penalty silences."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from keras_ssp._checks import real
from keras_ssp._rates import SILENT
from keras_ssp.callbacks.flags import listed
from keras_ssp.callbacks.watcher import Watcher
from keras_ssp.energy import EnergyReport
from keras_ssp.energy.rows import LayerReport
from keras_ssp.layers import SpikingLayer
from keras_ssp.layers.watch import CURE
from keras_ssp.penalties.binding import penalized_layers
from keras_ssp.types import Config, Data, Logs

# A layer is let go when it fires this many times as much as what held it.
RECOVERED = 4.0
# Measurements after which a layer that has never fired is reported.
PATIENCE = 15


class SilenceGuard(Watcher):
    """Holds the penalty off layers that are silent or about to fall silent.

    A layer that never fires gets no gradient through its spikes, and neither does
    what is in front of it: a penalty that silences a layer once has silenced it for
    good, and the network stays at chance. So the spikes of every layer are counted on
    `data` when training begins, after 1, 2, 4, 8, ... steps and then `checks` times.
    Where a layer fires less than `floor` spikes a sample, or will at its present pace
    by the next time, lambda is 0 for it and for all layers before it (whose spikes it
    lives on), until it fires again; a warning names the layer. lambda of the other
    layers, and whatever sets it (`PenaltySchedule`, ...), is left alone. A healthy
    network trains as without the guard, to the bit.

    Adds `guarded_layers`, how many layers were held during the epoch, to the history.

    Args:
        data: Data to count on, as for `energy_report`; a few hundred samples do.
        floor: Spikes per sample below which a layer counts as dying, above 0.
            Defaults to 0.5.
        batch_size: Positive integer, rows per batch where `data` are arrays. Defaults
            to 128.
        checks: Positive integer, measurements in the whole training, at least.
            Defaults to 80.

    Raises:
        ValueError: When `fit` starts, if the model has no penalty or its synapses
            cannot be counted.

    Example:

    >>> guard = SilenceGuard(np.ones((8, 4), "float32"))
    """

    def __init__(
        self,
        data: Data,
        *,
        floor: float = 0.5,
        batch_size: int = 128,
        checks: int = 80,
    ) -> None:
        super().__init__(data, batch_size=batch_size, checks=checks)
        self.floor = real("floor", floor, above=0.0)
        self.held: dict[str, float] = {}
        self._layers: dict[str, SpikingLayer] = {}
        self._spikes: dict[str, float] = {}
        self._named: set[str] = set()
        self._never: set[str] = set()
        self._checked = 0
        self._most = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin(logs)
        penalized_layers(self.model)  # an error if there is none
        self.held, self._spikes = {}, {}
        self._named, self._never = set(), set()
        self._checked = self._most = 0

    def begin(self, epoch: int) -> None:
        self.inspect(self.measure())

    def watch(self, step: int, logs: Logs) -> None:
        self.inspect(self.measure())

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        if batch == 0:  # of these layers the guard speaks itself, not `fit`
            for layer in penalized_layers(self.model):
                layer.watch.leave_out(SILENT)
        if self.held:  # a schedule may have set lambda meanwhile
            self.apply()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["guarded_layers"] = float(max(self._most, len(self.held)))
        self._most = len(self.held)

    def on_train_end(self, logs: Logs = None) -> None:
        for name in list(self.held):
            self._release(name)
        silent = [name for name, spikes in self._spikes.items() if spikes == 0.0]
        if silent:
            warnings.warn(
                f"{listed(silent)} silent at the end of training, on all of the "
                f"guard's data. Remedy: {CURE}; or a lower lambda.",
                stacklevel=2,
            )

    def inspect(self, report: EnergyReport) -> None:
        """Holds and lets go of layers by what a report on the data says."""
        self._find_layers(report)
        rows = [row for row in report.layers if row.name in self._layers]
        weak = [row for row in rows if self._weak(row)]
        self._spikes = {row.name: row.spikes for row in rows}
        last = max((rows.index(row) for row in weak), default=-1)
        for k, row in enumerate(rows):
            if k <= last:
                self.held.setdefault(row.name, 0.0)
            elif row.name in self.held:
                self._release(row.name)
        self._most = max(self._most, len(self.held))
        self.apply()
        self._say(weak)

    def apply(self) -> None:
        """Sets lambda of the layers that are held to 0, and remembers what it was."""
        layers = self._attached()
        for name in self.held:
            present = layers[name].penalty_weight_now
            if present > 0.0:
                self.held[name] = present
                layers[name].penalty_weight.assign(0.0)

    def get_state(self) -> Config:
        """What a resumed training needs, as plain values."""
        return {
            "held": dict(self.held),
            "spikes": dict(self._spikes),
            "named": sorted(self._named),
            "never": sorted(self._never),
            "checked": self._checked,
        }

    def set_state(self, state: Config) -> None:
        """Restores what `get_state` gave."""
        self.held = dict(state["held"])
        self._spikes = dict(state["spikes"])
        self._named, self._never = set(state["named"]), set(state["never"])
        self._checked = state["checked"]
        self._most = len(self.held)

    def _weak(self, row: LayerReport) -> bool:
        if row.name in self.held:
            return row.spikes < self.floor * RECOVERED
        before = self._spikes.get(row.name, 0.0)
        falling = min(row.spikes / before, 1.0) if before > 0.0 else 1.0
        return row.spikes * falling < self.floor

    def _release(self, name: str) -> None:
        layer, was = self._attached()[name], self.held.pop(name)
        if was > 0.0 and layer.penalty_weight_now == 0.0:
            layer.penalty_weight.assign(was)

    def _find_layers(self, report: EnergyReport) -> None:
        meter = self.meter
        if meter is None or len(self._layers) == len(report.layers):
            return
        layers = {id(layer): layer for layer in penalized_layers(self.model)}
        self._layers = {
            site.name: layers[key[0]]
            for key, site in meter.sites.items()
            if key[0] in layers
        }

    def _attached(self) -> dict[str, SpikingLayer]:
        # On JAX the weights of a model under training are only right once asked for.
        _ = self.model
        return self._layers

    def _say(self, weak: Sequence[LayerReport]) -> None:
        self._checked += 1
        if self._checked == 1:
            self._never = {row.name for row in weak}
        self._never &= {row.name for row in weak}
        for row in weak:
            if row.name not in self._named and self.held.get(row.name, 0.0) > 0.0:
                self._named.add(row.name)
                warnings.warn(
                    f"Layer '{row.name}' fires {row.spikes:.2g} spikes per sample, so "
                    "it is silent or about to be: the penalty is held off it and the "
                    "layers before it until it fires again. Remedy, if this goes on: "
                    "a lower lambda.",
                    stacklevel=2,
                )
        if self._never and self._checked == PATIENCE:
            warnings.warn(
                f"{listed(sorted(self._never))} silent since training began, with no "
                f"penalty on: nothing in front of it learns. Remedy: {CURE}.",
                stacklevel=2,
            )
