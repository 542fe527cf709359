"""Callbacks: what the network costs, epoch by epoch, and ramps of lambda."""

from __future__ import annotations

import math

import keras

from keras_ssp._checks import one_of, positive_int, real
from keras_ssp.energy import EnergyMeter, EnergyModelLike, EnergyReport, hardware
from keras_ssp.penalties.binding import penalized_layers, set_penalty_weight
from keras_ssp.types import Data, Logs

SHAPES = ("linear", "cosine", "step")


class EnergyMonitor(keras.callbacks.Callback):
    """Measures the energy at the end of each epoch and puts it into the logs.

    Adds `val_synops` (SynOps per sample), `val_energy_pj` (pJ per sample, analogue
    operations included) and `val_spike_rate` (spikes per neuron and step) to the
    history, the progress bar, and whatever callbacks come after it in the list
    (`TensorBoard`, `CSVLogger`, ...).

    Args:
        data: Data to measure on, as for `energy_report`.
        energy_model: As for `energy_report`. Defaults to `"cmos45"`.
        batch_size: Positive integer, rows per batch where `data` are arrays. Defaults
            to 128.
        every: Positive integer, epochs from one measurement to the next; in between
            the last values are repeated. Defaults to 1.
        prefix: What the three names begin with. Defaults to `"val_"`.

    Raises:
        ValueError: If the energy model is unknown; when `fit` starts, if the model's
            synapses cannot be counted.

    Example:

    >>> monitor = EnergyMonitor(np.ones((8, 4), "float32"))
    """

    def __init__(
        self,
        data: Data,
        *,
        energy_model: EnergyModelLike = "cmos45",
        batch_size: int = 128,
        every: int = 1,
        prefix: str = "val_",
    ) -> None:
        super().__init__()
        self.data = data
        self.energy_model = hardware.get(energy_model)
        self.batch_size = positive_int("batch_size", batch_size)
        self.every = positive_int("every", every)
        self.prefix = prefix
        self.report: EnergyReport | None = None
        self._meter: EnergyMeter | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._meter = EnergyMeter(self.model)  # one trace for all epochs
        self.report = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        report = self.report
        if report is None or (epoch + 1) % self.every == 0:
            meter = self._meter or EnergyMeter(self.model)
            report = meter.report(
                self.data,
                energy_model=self.energy_model,
                batch_size=self.batch_size,
            )
            self.report = report
        if logs is not None:
            logs[f"{self.prefix}synops"] = report.synops
            logs[f"{self.prefix}energy_pj"] = report.energy_pj
            logs[f"{self.prefix}spike_rate"] = report.rate


class PenaltySchedule(keras.callbacks.Callback):
    """Ramps lambda from 0 to its full value.

        lambda(e) = weight * f((e - start) / epochs),   f(z) = 0 for z < 0, 1 for z >= 1

    with f(z) = z (`"linear"`), (1 - cos(pi z)) / 2 (`"cosine"`) or 0 (`"step"`)
    between. `e` counts epochs, fractions included: the optimizer's step is asked, so
    `steps_per_execution` and resumed training keep to the ramp.

    Args:
        weight: lambda at the end of the ramp, at least 0. Defaults to the penalty's
            own.
        epochs: Length of the ramp in epochs, above 0. Defaults to 1.
        start: Epoch at which it begins, at least 0. Defaults to 0.
        shape: `"linear"`, `"cosine"` or `"step"`. Defaults to `"linear"`.

    Raises:
        ValueError: When `fit` starts, if the model has no penalty.

    Example:

    >>> schedule = PenaltySchedule(1e-7, epochs=5, shape="cosine")
    >>> [round(schedule.factor(e), 3) for e in (0, 2.5, 5, 9)]
    [0.0, 0.5, 1.0, 1.0]
    """

    def __init__(
        self,
        weight: float | None = None,
        *,
        epochs: float = 1.0,
        start: float = 0.0,
        shape: str = "linear",
    ) -> None:
        super().__init__()
        self.weight = None if weight is None else real("weight", weight, low=0.0)
        self.epochs = real("epochs", epochs, above=0.0)
        self.start = real("start", start, low=0.0)
        self.shape = one_of("shape", shape, SHAPES)
        self._epoch = 0
        self._first_step = 0
        self._full = 0.0

    def factor(self, epoch: float) -> float:
        """The share of lambda in force at an epoch, fractions included."""
        z = (epoch - self.start) / self.epochs
        if z >= 1.0:
            return 1.0
        if z < 0.0 or self.shape == "step":
            return 0.0
        return z if self.shape == "linear" else (1.0 - math.cos(math.pi * z)) / 2.0

    def on_train_begin(self, logs: Logs = None) -> None:
        own = penalized_layers(self.model)[0].penalty.weight
        self._full = own if self.weight is None else self.weight

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch
        self._first_step = self._step()
        self._set(float(epoch))

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        # Not `batch`: with steps_per_execution it jumps, and may pass the end.
        steps = self.params.get("steps")
        if steps:
            done = min(1.0, (self._step() - self._first_step) / steps)
            self._set(self._epoch + done)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._set(epoch + 1.0)
        if logs is not None:
            logs["penalty_weight"] = self._full * self.factor(epoch + 1.0)

    def _step(self) -> int:
        return int(self.model.optimizer.iterations)

    def _set(self, epoch: float) -> None:
        set_penalty_weight(self.model, self._full * self.factor(epoch))
